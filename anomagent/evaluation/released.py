"""The `released` protocol: how the evaluator that the paper's authors published matches and counts."""

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.matches import Match
from anomagent.evaluation.measures import Measure, rates


def match_greedily(fused: NDArray[np.float64]) -> list[Match]:
    """Match one to one, the most similar free pair first, until a side is used up or the best is 0 or less.

    `fused` is [predictions, ground truths], one view; it is clipped to 0 to 1 first. Of equal pairs that with the
    smaller prediction index comes first, then that with the smaller ground truth index. No threshold is involved.
    """
    clipped = np.clip(fused, 0.0, 1.0)
    # Sorted once: a stable sort of the rows one after the other keeps the order that ties ask for.
    best_first = np.argsort(-clipped, axis=None, kind="stable")
    width = clipped.shape[1]
    matches: list[Match] = []
    taken_predictions: set[int] = set()
    taken_ground_truth: set[int] = set()
    for position in best_first.tolist():
        prediction, ground_truth = divmod(position, width)
        similarity = float(clipped[prediction, ground_truth])
        if similarity <= 0 or len(matches) == min(clipped.shape):
            break
        if prediction not in taken_predictions and ground_truth not in taken_ground_truth:
            taken_predictions.add(prediction)
            taken_ground_truth.add(ground_truth)
            matches.append(Match(prediction, ground_truth, similarity))
    return matches


def measure_matches(matches: Iterable[Match], predictions: int, ground_truth: int, threshold: float) -> Measure:
    """Count the matches of at least `threshold` as true positives. AP is precision: this protocol ranks nothing.

    `matches` are those of the whole image, whatever their similarity; with both sides empty everything is 0.
    """
    tp = sum(match.similarity >= threshold for match in matches)
    precision, recall, f1 = rates(tp, predictions, ground_truth)
    return Measure(tp, precision, recall, f1, precision)
