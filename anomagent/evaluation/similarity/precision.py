"""What bf16 does to the numbers, measured on the data at hand."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from math import isqrt

import numpy as np

from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity.backbone import Backbone
from anomagent.evaluation.similarity.scorer import Scorer


@dataclass(frozen=True)
class PrecisionEffect:
    """Absolute differences of F1 between bf16 and fp32."""

    comparisons: int
    """Pairs of texts that were compared; where there are none, the differences are 0."""
    largest: float
    mean: float


def measure_precision(
    backbone: Backbone, pairs: Iterable[Pair], images: int = 64, most: int = 500, threads: int | None = None
) -> PrecisionEffect:
    """Score the first `images` with text on both sides in both precisions, `most` pairs of anomalies at the most.

    Of an image with many anomalies the first ones are taken. Raises `ConfigurationError` where the backbone cannot be
    loaded; which precision it states does not matter.
    """
    sample = _sample(pairs, images, most)
    exact, short = (_scores(replace(backbone, precision=name), sample, threads) for name in ("fp32", "bf16"))
    differences = np.abs(exact - short)
    if not differences.size:
        return PrecisionEffect(0, 0.0, 0.0)
    return PrecisionEffect(differences.size, float(differences.max()), float(differences.mean()))


def _sample(pairs: Iterable[Pair], images: int, most: int) -> list[Pair]:
    sample: list[Pair] = []
    room, side = most, isqrt(most)
    for pair in pairs:
        small = replace(pair, predictions=pair.predictions[:side], ground_truth=pair.ground_truth[:side])
        size = len(small.predictions) * len(small.ground_truth)
        if len(sample) == images or size > room:
            break
        if size:
            sample.append(small)
            room -= size
    return sample


def _scores(backbone: Backbone, pairs: list[Pair], threads: int | None) -> np.ndarray:
    found = Scorer(backbone, threads=threads).similarities(pairs)
    views = [matrix.ravel() for similarity in found for matrix in (similarity.phenomenon, similarity.reasoning)]
    return np.concatenate([np.empty(0), *views])
