import json

import pytest

from anomagent.errors import UsageError
from anomagent.evaluation.pairing import Pairing
from anomagent.evaluation.scores import EmptyRule, Protocol, Scores, score
from anomagent.evaluation.summary import CURVE_THRESHOLDS, CurveRow, curve_rows, summarise
from tests.evaluation.metric_cases import alike, pair

# a: two predictions (severity 50, 10, so the second is ranked first) of one ground truth, .95 and .75.
# b: one prediction, nothing true. c: nothing at all. d: missed.
PAIRS = [pair([50, 10], 1, "a"), pair([10], 0, "b"), pair([], 0, "c"), pair([], 2, "d")]
TABLES = [alike([[0.95], [0.75]]), alike([[]]), alike([], 0), alike([], 2)]
PAIRING = Pairing(tuple(PAIRS), "empty", ("b",), ("d",), {"d": "refused"}, {}, 3, 1)


def scored(protocol: Protocol, empty: EmptyRule | None = None) -> Scores:
    return score(PAIRS, TABLES, protocol, empty=empty)


def test_paper() -> None:
    summary = summarise(scored("paper"), PAIRING, "distilbert-base-uncased", 5)
    # a at .7: the second is ranked first and takes it: AP 1, P 1/2, R 1, F1 2/3.
    # a at .8 and .9: the second finds nothing, the first does at rank 2: AP 1/2; P, R and F1 as before.
    # Means over a, b = 0, c = 1, d = 0.
    at = summary["by_threshold"]
    assert at["0.7"]["Full"] == pytest.approx(
        {"SemAP": 2 / 4, "SemF1": (2 / 3 + 1) / 4, "precision": 1.5 / 4, "recall": 2 / 4}
    )
    assert at["0.9"]["Phe"]["SemAP"] == pytest.approx(1.5 / 4)
    # SemAP of a = (1 + 1/2 + 1/2) / 3 = 2/3.
    assert summary["SemAP"] == pytest.approx(dict.fromkeys(("Phe", "Rea", "Full"), (2 / 3 + 1) / 4))
    assert summary["SemF1"]["Rea"] == pytest.approx((2 / 3 + 1) / 4)
    # Pooled: 3 predictions, 3 ground truths, 1 match.
    assert summary["micro"]["0.7"]["Phe"] == pytest.approx(
        {"TP": 1, "FP": 2, "FN": 2, "precision": 1 / 3, "recall": 1 / 3, "F1": 1 / 3}
    )


def test_released() -> None:
    summary = summarise(scored("released"), PAIRING, "distilbert-base-uncased", 5)
    # a: .95 goes first and leaves nothing: TP 1 of 2 at every threshold, SemAP = P = 1/2, F1 2/3. b, c and d are 0.
    assert summary["SemAP"]["Full"] == pytest.approx(0.5 / 4)
    assert summary["SemF1"]["Full"] == pytest.approx(2 / 3 / 4)
    assert summary["rank_by"] is None


def test_what_was_evaluated_and_how_is_said() -> None:
    summary = summarise(scored("paper"), PAIRING, "roberta-large-mnli", 19)
    said = {key: value for key, value in summary.items() if key not in ("SemAP", "SemF1", "by_threshold", "micro")}
    assert said == {
        "protocol": "paper",
        "rank_by": "implausibility",
        "thresholds": [0.7, 0.8, 0.9],
        "backbone": "roberta-large-mnli",
        "layer": 19,
        "images": 4,
        "empty": {"rule": "score", "both": 1, "predictions": 1, "ground_truth": 1, "left_out": 0},
        "missing": {"rule": "empty", "only_predictions": 1, "only_ground_truth": 1, "only_split": 0, "failed": 1},
        "failures": [{"image": "d", "reason": "refused"}],
        "partial": [],
        "bad_entries": {"predictions": 3, "ground_truth": 1},
    }
    assert list(summary["by_threshold"]) == list(summary["micro"]) == ["0.7", "0.8", "0.9"]


@pytest.mark.parametrize(
    ("protocol", "empty", "total", "images"),
    [("paper", "zero", 2 / 3, 4), ("paper", "skip", 2 / 3, 3), ("released", "skip", 1 / 2, 3)],
)
def test_the_rule_of_empty_images_moves_the_means(
    protocol: Protocol, empty: EmptyRule, total: float, images: int
) -> None:
    summary = summarise(scored(protocol, empty), PAIRING, "x", None)
    assert summary["SemAP"]["Full"] == pytest.approx(total / images)
    assert (summary["images"], summary["empty"]["left_out"]) == (images, 4 - images)


def test_all_values_are_plain_and_finite() -> None:
    summary = summarise(scored("released"), PAIRING, "x", None)
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary


def test_nothing_to_average_over_is_an_error() -> None:
    for scores in (score([], []), score(PAIRS[2:3], TABLES[2:3], empty="skip")):
        with pytest.raises(UsageError, match="no image to average over"):
            summarise(scores, PAIRING, "x", None)
        with pytest.raises(UsageError, match="no image to average over"):
            curve_rows(scores)


def test_curve() -> None:
    assert CURVE_THRESHOLDS == (0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8, 0.85, 0.9, 0.95)
    rows = curve_rows(score(PAIRS[:1], TABLES[:1], "paper", CURVE_THRESHOLDS))
    assert len(rows) == 30
    # Up to .75 the first in rank is right (AP 1), above it the second (AP 1/2); found at .95 still.
    assert rows[:2] == [CurveRow(0.5, "Phe", 1.0, 2 / 3), CurveRow(0.5, "Rea", 1.0, 2 / 3)]
    assert [row.SemAP for row in rows if row.view == "Full"] == [1.0] * 6 + [0.5] * 4
