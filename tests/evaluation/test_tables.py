from typing import Any

import pytest

from anomagent.evaluation.scores import Protocol, score
from anomagent.evaluation.tables import IMAGE_COLUMNS, MATCH_COLUMNS, image_rows, match_rows
from tests.evaluation.metric_cases import alike, pair

PAIRS = [pair([50, 10], 1, "a"), pair([], 1, "b"), pair([], 0, "c")]
TABLES = [alike([[0.95], [0.75]]), alike([], 1), alike([], 0)]


def matched(protocol: Protocol) -> list[dict[str, Any]]:
    rows = match_rows(score(PAIRS, TABLES, protocol), PAIRS)
    return [dict(zip(MATCH_COLUMNS, row, strict=True)) for row in rows]


def test_images() -> None:
    rows = list(image_rows(score(PAIRS, TABLES, empty="skip")))
    assert len(rows) == 3 * 3 * 3
    first = dict(zip(IMAGE_COLUMNS, rows[0], strict=True))
    # The second prediction is ranked first and reaches .7: AP 1, precision 1/2, recall 1, F1 2/3.
    assert first == {
        "image": "a",
        "view": "Phe",
        "threshold": 0.7,
        "predictions": 2,
        "ground_truth": 1,
        "TP": 1,
        "FP": 1,
        "FN": 0,
        "precision": 0.5,
        "recall": 1.0,
        "SemF1": 2 / 3,
        "SemAP": 1.0,
        "in_means": True,
    }
    assert [row[-1] for row in rows] == [True] * 18 + [False] * 9


def test_every_match_comes_with_its_sentences() -> None:
    first, *_ = matched("paper")
    # At .7 the second prediction takes the ground truth with .75.
    assert first == {
        "image": "a",
        "view": "Phe",
        "threshold": 0.7,
        "prediction": 1,
        "ground_truth": 0,
        "similarity": 0.75,
        "phenomenon_similarity": 0.75,
        "reasoning_similarity": 0.75,
        "prediction_name": "name 1",
        "prediction_phenomenon": "phenomenon 1",
        "prediction_reasoning": "reasoning 1",
        "prediction_severity": 10,
        "ground_truth_name": "name 0",
        "ground_truth_phenomenon": "phenomenon 0",
        "ground_truth_reasoning": "reasoning 0",
        "ground_truth_severity": 10,
    }


def test_whoever_has_no_match_has_a_row_with_an_empty_other_side() -> None:
    of_a = [row for row in matched("paper") if (row["image"], row["view"], row["threshold"]) == ("a", "Full", 0.8)]
    # At .8 it is the first prediction that takes it, and the second is left.
    assert [(row["prediction"], row["ground_truth"], row["similarity"]) for row in of_a] == [
        (0, 0, 0.95),
        (1, None, None),
    ]
    assert of_a[1]["prediction_phenomenon"] == "phenomenon 1"
    assert {of_a[1][name] for name in MATCH_COLUMNS if name.startswith("ground_truth")} == {None}
    (of_b,) = [row for row in matched("released") if (row["image"], row["view"]) == ("b", "Rea")]
    assert (of_b["prediction"], of_b["ground_truth"], of_b["ground_truth_name"]) == (None, 0, "name 0")
    assert of_b["prediction_name"] is None


@pytest.mark.parametrize(("protocol", "levels"), [("paper", {0.7, 0.8, 0.9}), ("released", {None})])
def test_released_matches_once_for_all_thresholds(protocol: Protocol, levels: set[float | None]) -> None:
    rows = matched(protocol)
    assert {row["threshold"] for row in rows} == levels
    # An image's rows name each prediction and ground truth once: a 2 (one is matched), b 1, c 0.
    assert len(rows) == 3 * 3 * len(levels)


def test_other_pairs_are_refused() -> None:
    with pytest.raises(ValueError, match="not those that were scored"):
        next(match_rows(score(PAIRS, TABLES), PAIRS[:1]))
