"""Precision, recall, F1 and AP of one image, or of pooled counts, at one threshold."""

from typing import NamedTuple


class Measure(NamedTuple):
    """One image in one view at one threshold; all but `tp` within 0 to 1."""

    tp: int
    precision: float
    recall: float
    f1: float
    ap: float
    """What SemAP averages: average precision (`paper`), or precision once more (`released`)."""


class Rates(NamedTuple):
    """What follows from counts, each 0 where it is undefined."""

    precision: float
    recall: float
    f1: float


def rates(tp: int, predictions: int, ground_truth: int) -> Rates:
    """Precision TP/predictions, recall TP/ground truths, F1 2TP/(predictions + ground truths): their harmonic mean."""
    return Rates(
        tp / predictions if predictions else 0.0,
        tp / ground_truth if ground_truth else 0.0,
        2 * tp / (predictions + ground_truth) if predictions + ground_truth else 0.0,
    )
