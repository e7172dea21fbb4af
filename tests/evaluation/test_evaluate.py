"""One evaluation, with similarities that are known instead of a model's."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from anomagent.errors import UsageError
from anomagent.evaluation.evaluate import Choices, Evaluation, evaluate
from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.similarity import Backbone
from anomagent.evaluation.summary import CURVE_THRESHOLDS
from tests.evaluation.metric_cases import a_set, alike, anomalies

BACKBONE = Backbone("roberta-large-mnli")
TRUTH = a_set("t.json", {"a.png": anomalies(10), "b.png": anomalies(10)})


class Compare:
    """Finds everything similar to a degree, and remembers what it was asked."""

    def __init__(self, degree: float) -> None:
        self.degree = degree
        self.asked: list[Pair] = []

    def __call__(self, pairs: Sequence[Pair]) -> list[Similarity]:
        self.asked += pairs
        return [
            alike([[self.degree] * len(pair.ground_truth)] * len(pair.predictions), len(pair.ground_truth))
            for pair in pairs
        ]


def run(degree: float, choices: Choices | None = None) -> Evaluation:
    return evaluate(TRUTH, TRUTH, Compare(degree), BACKBONE, choices)


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_figures_are_those_of_the_similarities(protocol: str) -> None:
    # 0.85 reaches 0.7 and 0.8 but not 0.9, in every image: 2/3.
    found = run(0.85, Choices(protocol)).summary()  # type: ignore[arg-type]

    assert found["SemAP"]["Full"] == found["SemF1"]["Phe"] == pytest.approx(2 / 3)
    assert (found["protocol"], found["backbone"], found["layer"]) == (protocol, "roberta-large-mnli", 19)


def test_choices_default_to_the_released_protocol() -> None:
    assert run(1.0).summary() == run(1.0, Choices("released", empty="zero", missing="error")).summary()


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_curve_uses_the_same_rules_at_other_thresholds(protocol: str) -> None:
    rows = run(0.71, Choices(protocol)).curve()  # type: ignore[arg-type]

    assert [row.threshold for row in rows if row.view == "Full"] == list(CURVE_THRESHOLDS)
    # 0.5, 0.55, 0.6, 0.65 and 0.7 are reached.
    assert [row.SemF1 for row in rows if row.view == "Full"] == [1.0] * 5 + [0.0] * 5
    assert [row.SemF1 for row in run(0.71).curve((0.2, 0.72)) if row.view == "Rea"] == [1.0, 0.0]


def test_curve_keeps_the_rule_of_empty_images() -> None:
    silent = a_set("s.json", {"a.png": (), "b.png": anomalies(10)})
    found = evaluate(silent, silent, Compare(1.0), BACKBONE, Choices("paper", empty="zero"))

    assert {row.SemF1 for row in found.curve()} == {0.5}


@pytest.mark.parametrize(
    ("choices", "predictions"),
    [
        (Choices(thresholds=()), TRUTH),
        (Choices(), a_set("p.json", {"a.png": ()})),
        (Choices(missing="skip"), a_set("p.json", {"z.png": ()})),
        (Choices(), a_set("p.json", {"x/a.png": (), "y/a.png": (), "b.png": ()})),
    ],
    ids=["thresholds", "missing", "nothing left", "one base name"],
)
def test_wrong_use_is_refused_before_anything_is_compared(choices: Choices, predictions: object) -> None:
    compare = Compare(1.0)
    with pytest.raises(UsageError):
        evaluate(predictions, TRUTH, compare, BACKBONE, choices)  # type: ignore[arg-type]
    assert compare.asked == []


def test_failed_images_are_compared_where_they_should_have_found_something() -> None:
    predictions = a_set("p.json", {"a.png": anomalies(10)}, b="refused", c="refused")
    compare = Compare(1.0)

    found = evaluate(predictions, TRUTH, compare, BACKBONE, Choices(missing="empty"))

    assert [pair.image for pair in compare.asked] == ["a.png", "b.png"]
    assert found.summary()["SemF1"]["Full"] == 0.5
    assert [failure["image"] for failure in found.summary()["failures"]] == ["b.png", "c.png"]
