"""Which prediction was matched with which ground truth: one match, and all matches of an evaluation in columns."""

from array import array
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.pairs import Similarity

EVERY_THRESHOLD = -1
"""Stands for the threshold of a match that was made once for all of them, as the released protocol does."""


class Match(NamedTuple):
    """A prediction and the ground truth that it was matched with, both by index."""

    prediction: int
    ground_truth: int
    similarity: float
    """In the view that was matched in."""


@dataclass(frozen=True)
class Matches:
    """Matches of many images, one a row, ordered by image, then view, then threshold; every array is [matches]."""

    image: NDArray[np.int32]
    """Index of the image."""
    view: NDArray[np.int8]
    """Index into `VIEWS`."""
    threshold: NDArray[np.int16]
    """Index of the threshold, or `EVERY_THRESHOLD`."""
    prediction: NDArray[np.int32]
    ground_truth: NDArray[np.int32]
    similarity: NDArray[np.float64]
    """In the view of the row."""
    phenomenon: NDArray[np.float64]
    reasoning: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.image)

    def of_image(self, image: int) -> range:
        """The rows of one image."""
        first, last = np.searchsorted(self.image, [image, image + 1])
        return range(int(first), int(last))

    def hits(self, view: int, number: int, threshold: float) -> NDArray[np.bool_]:
        """[matches]: whether a row is a true positive in `view` at the threshold of that index and value."""
        concerned = (self.threshold == number) | (self.threshold == EVERY_THRESHOLD)
        return (self.view == view) & concerned & (self.similarity >= threshold)


@dataclass
class MatchList:
    """`Matches` in the making: typed arrays, because there may be millions."""

    _integers: "tuple[array[int], ...]" = field(default_factory=lambda: tuple(array("i") for _ in range(5)))
    _floats: "tuple[array[float], ...]" = field(default_factory=lambda: tuple(array("d") for _ in range(3)))

    def add(self, image: int, view: int, threshold: int, match: Match, similarity: Similarity) -> None:
        """Append a match of `image`, to be called in the order that `Matches` promises."""
        at = match.prediction, match.ground_truth
        for column, number in zip(self._integers, (image, view, threshold, *at), strict=True):
            column.append(number)
        values = match.similarity, float(similarity.phenomenon[at]), float(similarity.reasoning[at])
        for column, value in zip(self._floats, values, strict=True):
            column.append(value)

    def freeze(self) -> Matches:
        """The rows so far, copied."""
        image, view, threshold, prediction, ground_truth = (np.array(column, np.int32) for column in self._integers)
        similarity, phenomenon, reasoning = (np.array(column, np.float64) for column in self._floats)
        return Matches(
            image,
            view.astype(np.int8),
            threshold.astype(np.int16),
            prediction,
            ground_truth,
            similarity,
            phenomenon,
            reasoning,
        )
