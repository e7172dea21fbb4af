"""SemF1 under a judge, and how far the judge, BERTScore and people agree on what is the same."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.agreement import Agreement
from anomagent.evaluation.human_pairs import HumanPair, check_human_pairs
from anomagent.evaluation.judge import Judgement
from anomagent.evaluation.matches import Match, Matches
from anomagent.evaluation.measures import Rates, rates
from anomagent.evaluation.pairs import THRESHOLDS, VIEWS, Pair, Similarity
from anomagent.evaluation.scores import EmptyRule, Scores
from anomagent.state.findings import UsageTotals


@dataclass(frozen=True)
class Judged:
    """One image that was judged, or had nothing to judge."""

    pair: Pair
    judgement: Judgement
    full: NDArray[np.float64]
    """[predictions, ground truths]: BERTScore Full."""
    matches: tuple[Match, ...]
    """One to one; similarity is BERTScore Full."""

    @property
    def rates(self) -> Rates:
        """Precision, recall and F1 of the matches, each 0 where it is undefined."""
        return rates(len(self.matches), len(self.pair.predictions), len(self.pair.ground_truth))

    @property
    def both_empty(self) -> bool:
        """Whether there is neither prediction nor ground truth."""
        return not self.pair.predictions and not self.pair.ground_truth


def match_judged(same: Iterable[tuple[int, int]], full: NDArray[np.float64]) -> tuple[Match, ...]:
    """As many of the `same` pairs as can be matched one to one; of several ways the one with the highest sum of Full.

    `full` is BERTScore Full, [predictions, ground truths]. Matches are ordered by prediction.
    """
    optimize: Any = import_module("scipy.optimize")
    allowed = np.zeros(full.shape, bool)
    for prediction, ground_truth in same:
        allowed[prediction, ground_truth] = True
    if not allowed.any():
        return ()
    # A pair's prize is larger than all that the choice of partners can change, so that one more pair always wins.
    lowest, highest = float(full[allowed].min()), float(full[allowed].max())
    prize = 1 + min(full.shape) * (highest - lowest)
    rows, columns = optimize.linear_sum_assignment(np.where(allowed, prize + full - lowest, 0.0), maximize=True)
    chosen: Iterable[tuple[int, int]] = zip(rows.tolist(), columns.tolist(), strict=True)
    return tuple(Match(p, g, float(full[p, g])) for p, g in chosen if allowed[p, g])


def match_images(
    pairs: Sequence[Pair], judgements: Sequence[Judgement], similarities: Iterable[Similarity]
) -> list[Judged]:
    """The images without failure, matched; the three are in step, one each for an image."""
    judged: list[Judged] = []
    for pair, judgement, similarity in zip(pairs, judgements, similarities, strict=True):
        if judgement.failure is None:
            full = similarity.fused(VIEWS["Full"])
            judged.append(Judged(pair, judgement, full, match_judged(judgement.same, full)))
    return judged


def report_judge(
    model: str,
    pairs: Sequence[Pair],
    judgements: Sequence[Judgement],
    judged: Sequence[Judged],
    *,
    empty: EmptyRule = "score",
    thresholds: Sequence[float] = THRESHOLDS,
    scores: Scores | None = None,
    humans: Sequence[HumanPair] | None = None,
) -> dict[str, Any]:
    """All figures as plain data; `judged` is what `match_images` makes of the rest. What failed is in no figure.

    `SemF1` is the mean F1 of the images (macro), `micro` pools their counts; both are None, and `note` says why, where
    the judge failed on every image it was asked about, and where no image is left to average over. Agreement is over
    all (prediction, ground truth) pairs of an image, matched or not: BERTScore calls a pair the same where Full reaches
    the threshold. With `scores`, of the same images, `matching_agreement` is that of the two one-to-one matchings.
    Raises `UsageError` for human pairs that are not in the data.
    """
    check_human_pairs(humans or (), pairs)
    scored = [image for image in judged if not (image.both_empty and empty == "skip")]
    note = _why_nothing(model, judgements, scored)
    return {
        "model": model,
        "images": _count_images(judged, scored, judgements),
        "empty": empty,
        "failures": _list_failures(judgements),
        "SemF1": None if note else sum(_f1(image, empty) for image in scored) / len(scored),
        "micro": None if note else _pool(scored),
        "note": note,
        "agreement": {str(float(value)): _with_bertscore(judged, value) for value in thresholds},
        "matching_agreement": None if scores is None else _with_matching(judged, scores),
        "human": None if humans is None else _with_people(judged, humans, thresholds),
        "usage": UsageTotals.of(said.call for said in judgements if said.call).model_dump(),
    }


def _f1(image: Judged, empty: EmptyRule) -> float:
    return 1.0 if image.both_empty and empty == "score" else image.rates.f1


def _pool(scored: Sequence[Judged]) -> dict[str, float | int]:
    tp = sum(len(image.matches) for image in scored)
    predictions = sum(len(image.pair.predictions) for image in scored)
    ground_truth = sum(len(image.pair.ground_truth) for image in scored)
    precision, recall, f1 = rates(tp, predictions, ground_truth)
    counts = {"TP": tp, "FP": predictions - tp, "FN": ground_truth - tp}
    return {**counts, "precision": precision, "recall": recall, "F1": f1}


def _count_images(judged: Sequence[Judged], scored: Sequence[Judged], said: Sequence[Judgement]) -> dict[str, int]:
    both_empty = sum(image.both_empty for image in judged)
    asked = sum(image.judgement.call is not None for image in judged)
    return {
        "judged": asked,
        "both_empty": both_empty,
        "one_empty": len(judged) - asked - both_empty,
        "failed": len(said) - len(judged),
        "in_means": len(scored),
    }


def _list_failures(judgements: Sequence[Judgement]) -> list[dict[str, str]]:
    return [
        {"image": said.image, "error": said.failure["error"], "reason": said.failure["message"]}
        for said in judgements
        if said.failure
    ]


def _why_nothing(model: str, judgements: Sequence[Judgement], scored: Sequence[Judged]) -> str | None:
    """Why there is no mean: images with an empty side alone would say something of the data, nothing of the judge."""
    failures = _list_failures(judgements)
    if failures and all(said.failure or said.call is None for said in judgements):
        first = failures[0]["reason"]
        return f"The judge {model} gave nothing to average over: {len(failures)} failed, the first: {first}"
    return None if scored else "There is nothing to average over: every image is empty on both sides"


def _with_bertscore(judged: Sequence[Judged], threshold: float) -> dict[str, Any]:
    verdicts = (
        ((prediction, ground_truth) in image.judgement.same, bool(image.full[prediction, ground_truth] >= threshold))
        for image in judged
        for prediction, ground_truth in np.ndindex(image.full.shape)
    )
    return Agreement.of(verdicts).described("judge", "bertscore")


def _with_matching(judged: Sequence[Judged], scores: Scores) -> dict[str, Any]:
    """Whether the judge's matching and BERTScore's (view Full) hold the same pairs, at each threshold."""
    full = list(VIEWS).index("Full")
    index = {name: number for number, name in enumerate(scores.images)}
    return {
        str(float(threshold)): _of_matchings(
            judged, index, scores.matches, scores.matches.hits(full, column, threshold)
        )
        for column, threshold in enumerate(scores.rules.thresholds)
    }


def _of_matchings(
    judged: Sequence[Judged], index: Mapping[str, int], matches: Matches, hits: NDArray[np.bool_]
) -> dict[str, Any]:
    def verdicts() -> Iterator[tuple[bool, bool]]:
        for image in judged:
            ours = {(match.prediction, match.ground_truth) for match in image.matches}
            rows = [row for row in matches.of_image(index[image.pair.image]) if hits[row]]
            theirs = {(int(matches.prediction[row]), int(matches.ground_truth[row])) for row in rows}
            for pair in np.ndindex(image.full.shape):
                yield pair in ours, pair in theirs

    return Agreement.of(verdicts()).described("judge", "bertscore")


def _with_people(judged: Sequence[Judged], humans: Sequence[HumanPair], thresholds: Sequence[float]) -> dict[str, Any]:
    """People come first in each comparison; pairs of images that the judge failed on are only counted."""
    known = {image.pair.image: image for image in judged}
    rated = [(known[human.image], human) for human in humans if human.image in known]
    judge = ((human.same, (human.prediction, human.ground_truth) in image.judgement.same) for image, human in rated)
    similar = [(human.same, float(image.full[human.prediction, human.ground_truth])) for image, human in rated]
    return {
        "pairs": len(rated),
        "unjudged": len(humans) - len(rated),
        "judge": Agreement.of(judge).described("human", "judge"),
        "bertscore": {
            str(float(value)): Agreement.of((same, full >= value) for same, full in similar).described(
                "human", "bertscore"
            )
            for value in thresholds
        },
    }
