"""The `paper` protocol (Appendix C): predictions by falling confidence, matched anew in each view at each threshold."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.matches import Match
from anomagent.evaluation.measures import Measure, rates
from anomagent.state.findings import Anomaly

RankBy = Literal["implausibility", "listed"]
"""What stands for confidence: 100 - severity, or the order in the file."""


def rank_predictions(predictions: Sequence[Anomaly], by: RankBy) -> list[int]:
    """Indices of the predictions, the most confident first; equally confident ones as listed.

    Severity is realism, 0 = completely implausible, so the least severe number is the most confident prediction.
    """
    listed = range(len(predictions))
    return list(listed) if by == "listed" else sorted(listed, key=lambda index: predictions[index].severity)


def scan_predictions(
    similarity: NDArray[np.float64], full: NDArray[np.float64], order: Sequence[int], threshold: float
) -> list[Match | None]:
    """What became of each prediction, in `order`: its match, or None for a false positive.

    `similarity` (one view) and `full` (the view Full, for ties) are [predictions, ground truths]. Each prediction in
    turn takes the free ground truth that is most similar among those of at least `threshold`; of equal ones that with
    the higher Full, then that with the smaller index. Both are then locked.
    """
    rows: list[list[float]] = similarity.tolist()
    full_rows: list[list[float]] = full.tolist()
    free = set(range(similarity.shape[1]))
    outcomes: list[Match | None] = []
    for prediction in order:
        row, ties = rows[prediction], full_rows[prediction]
        best = max(
            (ground_truth for ground_truth in free if row[ground_truth] >= threshold),
            key=lambda index: (row[index], ties[index], -index),
            default=None,
        )
        if best is None:
            outcomes.append(None)
        else:
            free.remove(best)
            outcomes.append(Match(prediction, best, row[best]))
    return outcomes


def measure_outcomes(outcomes: Sequence[Match | None], ground_truth: int) -> Measure:
    """AP over the ranks and precision, recall and F1 of the final counts; everything is 0 where a side is empty."""
    tp = sum(match is not None for match in outcomes)
    return Measure(tp, *rates(tp, len(outcomes), ground_truth), average_precision(outcomes, ground_truth))


def average_precision(outcomes: Sequence[Match | None], ground_truth: int) -> float:
    """AP = sum over the ranks k that added a true positive of P(k) * (R(k) - R(k - 1)); 0 without ground truth.

    A true positive raises recall by 1 / `ground_truth`, so AP is the sum of their P(k) over that number.
    """
    tp, precisions = 0, 0.0
    for rank, match in enumerate(outcomes, start=1):
        if match is not None:
            tp += 1
            precisions += tp / rank
    return precisions / ground_truth if ground_truth else 0.0
