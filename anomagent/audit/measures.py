"""MAI, AF and CAP: how implausible an image is, how often, and both at once. Lower is better."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from anomagent.benchmark.annotations import AnnotationSet
from anomagent.state.findings import Anomaly

MEASURES: tuple[str, ...] = ("mai", "af", "cap_mean", "cap_of_means", "without_anomaly")
"""The measures of a generator, in the order of `summarise`."""


@dataclass(frozen=True)
class ImageMeasures:
    """The measures of one image (the paper's audit of generators)."""

    mai: float
    """Mean anomaly intensity's summand: the sum over its anomalies of (100 - severity) / 100. 0 without anomalies."""
    af: int
    """Anomaly frequency: how many anomalies."""

    @property
    def cap(self) -> float:
        """Combined anomaly penalty: MAI * AF."""
        return self.mai * self.af


@dataclass(frozen=True)
class ImageTable:
    """The measures of all analysed images of a generator."""

    keys: tuple[str, ...] = ()
    """The images, in the order of their rows."""
    rows: NDArray[np.float64] = field(default_factory=lambda: np.empty((0, 4)))
    """[images, 4]: MAI, AF, CAP, and 1 where there is no anomaly, else 0."""
    failed: tuple[str, ...] = ()
    """Images without a result: in no row, and so in no mean."""


def measure_image(anomalies: Sequence[Anomaly]) -> ImageMeasures:
    """The measures of an image's anomalies; severity 0 = completely implausible, 100 = fully realistic."""
    return ImageMeasures(mai=sum(100 - anomaly.severity for anomaly in anomalies) / 100, af=len(anomalies))


def measure_images(annotations: AnnotationSet) -> ImageTable:
    """The measures of every image that has a result.

    An image without anomalies has one, and counts as 0. An image whose analysis failed has none, and neither has one
    of whose entries not a single one could be read (`read_annotations`): it is not known to be free of anomalies.
    """
    keys: list[str] = []
    rows: list[tuple[float, float, float, float]] = []
    failed: list[str] = []
    for key, image in annotations.images.items():
        if image.failure is not None:
            failed.append(key)
            continue
        measures = measure_image(image.anomalies)
        keys.append(key)
        rows.append((measures.mai, measures.af, measures.cap, float(measures.af == 0)))
    return ImageTable(tuple(keys), np.array(rows, dtype=np.float64).reshape(-1, 4), tuple(failed))


def summarise(rows: NDArray[np.float64], axis: int = 0) -> NDArray[np.float64]:
    """Of rows of MAI, AF, CAP and "no anomaly", the `MEASURES` of the generator, along the first axis.

    `cap_mean` is the mean of the images' CAP, which the paper's text implies; `cap_of_means` the product of mean MAI
    and mean AF, which all 30 cells of its Table 3 are: only the second compares with published numbers.
    `rows` is [..., images, ..., 4], with the images at `axis`.
    """
    mai, af, cap, clean = np.moveaxis(rows.mean(axis=axis), -1, 0)
    return np.stack([mai, af, cap, mai * af, clean])
