"""Scores of every image, view and threshold under one set of rules; what summaries, intervals and tables start from."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from anomagent.errors import UsageError
from anomagent.evaluation.matches import EVERY_THRESHOLD, Matches, MatchList
from anomagent.evaluation.measures import Measure
from anomagent.evaluation.pairs import THRESHOLDS, VIEWS, Pair, Similarity
from anomagent.evaluation.paper import RankBy, measure_outcomes, rank_predictions, scan_predictions
from anomagent.evaluation.released import match_greedily, measure_matches

Protocol = Literal["paper", "released"]
EmptyRule = Literal["score", "zero", "skip"]
"""An image with nothing on both sides: 1, 0, or left out of the means. One empty side is always 0."""

_RIGHTLY_SILENT = Measure(0, 1.0, 1.0, 1.0, 1.0)


@dataclass(frozen=True)
class Rules:
    """What scores were made by; only scores of equal rules can be compared."""

    protocol: Protocol
    thresholds: tuple[float, ...]
    rank_by: RankBy | None
    """None where nothing is ranked (`released`)."""
    empty: EmptyRule

    @classmethod
    def of(cls, protocol: Protocol, thresholds: Sequence[float], rank_by: RankBy, empty: EmptyRule | None) -> "Rules":
        """The rules of a protocol, None for its own rule of empty images: `score` of `paper`, `zero` of `released`.

        Raises `UsageError` for thresholds that are not rising within 0 to 1, and for `score` under `released`.
        """
        if not thresholds or list(thresholds) != sorted({t for t in thresholds if 0 < t <= 1}):
            raise UsageError(
                f"thresholds {list(thresholds)} must rise and lie above 0 and up to 1, such as 0.7 0.8 0.9"
            )
        if protocol == "released" and empty == "score":
            raise UsageError("the released protocol has no --empty score; use zero or skip, or --protocol paper")
        ranked = rank_by if protocol == "paper" else None
        return cls(protocol, tuple(thresholds), ranked, empty or ("score" if protocol == "paper" else "zero"))


@dataclass(frozen=True)
class Scores:
    """One evaluation, image by image."""

    rules: Rules
    images: tuple[str, ...]
    """Base names."""
    ap: NDArray[np.float64]
    """[images, views, thresholds], as the next four; views in the order of `VIEWS`."""
    f1: NDArray[np.float64]
    precision: NDArray[np.float64]
    recall: NDArray[np.float64]
    tp: NDArray[np.int64]
    n_predictions: NDArray[np.int64]
    """[images]"""
    n_ground_truth: NDArray[np.int64]
    """[images]"""
    matches: Matches
    """`paper`: the true positives of each threshold; `released`: every matched pair, once for all thresholds."""

    @property
    def both_empty(self) -> NDArray[np.bool_]:
        """[images]: whether an image has neither prediction nor ground truth."""
        return (self.n_predictions == 0) & (self.n_ground_truth == 0)

    @property
    def counted(self) -> NDArray[np.bool_]:
        """[images]: whether an image is in the means; all are unless empty ones are to be skipped."""
        return ~self.both_empty | (self.rules.empty != "skip")

    def macro(self) -> dict[str, NDArray[np.float64]]:
        """SemAP and SemF1 of each image, averaged over the thresholds: [images, views]."""
        return {"SemAP": self.ap.mean(axis=2), "SemF1": self.f1.mean(axis=2)}


def score(
    pairs: Iterable[Pair],
    similarities: Iterable[Similarity],
    protocol: Protocol = "paper",
    thresholds: Sequence[float] = THRESHOLDS,
    rank_by: RankBy = "implausibility",
    empty: EmptyRule | None = None,
) -> Scores:
    """Match and measure every image; both streams are read once, in step, and may be generators.

    `rank_by` is for `paper` only. Raises `UsageError` as `Rules.of` does, and `ValueError` for similarities that are
    not finite, of another shape than their pair, or more or fewer than the pairs.
    """
    rules = Rules.of(protocol, thresholds, rank_by, empty)
    images: list[str] = []
    sizes: list[tuple[int, int]] = []
    measured: list[NDArray[np.float64]] = []
    matches = MatchList()
    for number, (pair, similarity) in enumerate(zip(pairs, similarities, strict=True)):
        _check(pair, similarity)
        images.append(pair.image)
        sizes.append((len(pair.predictions), len(pair.ground_truth)))
        measured.append(np.array(_measure(rules, number, pair, similarity, matches), np.float64))
    by_image = np.array(measured, np.float64).reshape(len(images), len(VIEWS), len(rules.thresholds), 5)
    tp, precision, recall, f1, ap = (by_image[..., column].copy() for column in range(5))
    n_predictions, n_ground_truth = np.array(sizes, np.int64).reshape(len(images), 2).T
    counts = tp.astype(np.int64), n_predictions, n_ground_truth
    return Scores(rules, tuple(images), ap, f1, precision, recall, *counts, matches.freeze())


def _check(pair: Pair, similarity: Similarity) -> None:
    shape = len(pair.predictions), len(pair.ground_truth)
    for name, values in (("phenomenon", similarity.phenomenon), ("reasoning", similarity.reasoning)):
        if values.shape != shape or not np.isfinite(values).all():
            raise ValueError(f"{pair.image!r}: {name} similarities must be finite and {shape}, not {values.shape}")


def _measure(rules: Rules, image: int, pair: Pair, similarity: Similarity, matches: MatchList) -> list[list[Measure]]:
    """[views][thresholds] of one image, its matches appended to `matches`."""
    if not pair.predictions and not pair.ground_truth and rules.empty == "score":
        return [[_RIGHTLY_SILENT] * len(rules.thresholds)] * len(VIEWS)
    measure = _measure_released if rules.protocol == "released" else _measure_paper
    return [measure(rules, image, view, pair, similarity, matches) for view in range(len(VIEWS))]


def _measure_released(
    rules: Rules, image: int, view: int, pair: Pair, similarity: Similarity, matches: MatchList
) -> list[Measure]:
    found = match_greedily(similarity.fused(_ALPHAS[view]))
    for match in found:
        matches.add(image, view, EVERY_THRESHOLD, match, similarity)
    sizes = len(pair.predictions), len(pair.ground_truth)
    return [measure_matches(found, *sizes, threshold) for threshold in rules.thresholds]


def _measure_paper(
    rules: Rules, image: int, view: int, pair: Pair, similarity: Similarity, matches: MatchList
) -> list[Measure]:
    fused, full = similarity.fused(_ALPHAS[view]), similarity.fused(VIEWS["Full"])
    order = rank_predictions(pair.predictions, rules.rank_by or "listed")
    measures: list[Measure] = []
    for number, threshold in enumerate(rules.thresholds):
        outcomes = scan_predictions(fused, full, order, threshold)
        for match in filter(None, outcomes):
            matches.add(image, view, number, match, similarity)
        measures.append(measure_outcomes(outcomes, len(pair.ground_truth)))
    return measures


_ALPHAS = tuple(VIEWS.values())
