"""An evaluation's figures as facts and tables."""

from __future__ import annotations

from typing import Any

import pytest

from anomagent.evaluation.bootstrap import intervals
from anomagent.evaluation.evaluate import Choices
from anomagent.report.scores import facts_of, published_of, tables_of
from anomagent.report.tables import Table
from tests.report.test_evaluation import scored

EVALUATION = scored({"a.png": 0.75, "b.png": 0.95})
"""SemF1 (1/3 + 1) / 2 = 0.6667 in every view."""
VIEWS = ("Phe", "Rea", "Full")


def tables(published: bool = False, **more: Any) -> dict[str, Table]:
    return {table.title: table for table in tables_of({**EVALUATION.summary(), **more}, published)}


def assert_rectangular(table: Table) -> None:
    assert {len(row.cells) for row in table.rows} <= {len(table.head)}


def test_facts_name_what_the_figures_depend_on() -> None:
    said = "\n".join(facts_of(EVALUATION.summary()))

    for part in ("Protocol released;", "distilbert-base-uncased, layer 5", "0.7, 0.8, 0.9", "2 images in the means"):
        assert part in said
    assert "rule: error" in said
    paper = scored({"a.png": 1.0}, Choices("paper", rank_by="listed")).summary()
    assert facts_of(paper)[0].startswith("Protocol paper, ranked by listed;")
    assert facts_of(paper)[1].startswith("1 image in the means")


def test_detection_says_what_the_main_table_is_about() -> None:
    result = {**EVALUATION.summary(), "Acc": 0.5, "confusion": {"real": {"yes": 1, "no": 2, "unrecognised": 0}}}

    assert facts_of(result)[-1] == (
        "SemAP and SemF1 are over the 2 images labelled AI; 3 real images are judged in 'Deepfake detection' only."
    )
    assert not any("labelled AI" in fact for fact in facts_of(EVALUATION.summary()))


def test_effect_of_precision_is_said() -> None:
    effect = {"largest": 0.00123, "mean": 0.0001, "comparisons": 1}
    assert (
        "at most 1.2e-03, 1.0e-04 on average (1 comparison "
        in facts_of({**EVALUATION.summary(), "precision_effect": effect})[-1]
    )


def test_main_table_has_figures_intervals_and_the_published() -> None:
    limits = intervals(EVALUATION.scores, 100)
    table = tables(True, bootstrap=limits)["SemAP and SemF1"]

    assert_rectangular(table)
    assert list(table.rows[0].cells) == ["these predictions", *["0.6667"] * 6]
    low, high = table.rows[1].cells[-1], table.rows[2].cells[-1]
    assert (float(low), float(high)) == tuple(round(limit, 4) for limit in limits["SemF1"]["Full"])
    assert [row.own for row in table.rows[:4]] == [True, True, True, False]
    assert any("GPT-4o" in row.cells[0] for row in table.rows)
    assert published_of(EVALUATION.summary())


def test_interval_of_one_image_is_explained() -> None:
    one = scored({"a.png": 0.95})
    result = {**one.summary(), "bootstrap": intervals(one.scores, 100)}

    assert tables_of(result, False)[0].caption.startswith("One image: there is nothing to resample")


def test_backbone_without_published_figures_says_so() -> None:
    result = {**EVALUATION.summary(), "backbone": "mine"}

    assert tables_of(result, True)[0].caption == "Nothing is published for this backbone and layer."
    assert published_of(result) == {}


@pytest.mark.parametrize(
    ("backbone", "layer", "title"),
    [
        ("distilbert-base-uncased", 5, "Table 1"),
        ("distilbert/distilbert-base-uncased", 5, "Table 1"),
        ("distilbert-base-uncased", 6, None),
        ("roberta-large-mnli", 19, "Table 4"),
        ("google/mt5-large", 19, "Table 5"),
        ("google/mt5-large", 5, None),
        ("./distilbert-base-uncased", 5, None),
        ("/distilbert-base-uncased", 5, None),
        ("~/distilbert-base-uncased", 5, None),
    ],
)
def test_published_figures_are_of_the_same_model_and_layer(backbone: str, layer: int, title: str | None) -> None:
    result = {**EVALUATION.summary(), "backbone": backbone, "layer": layer}

    assert list(published_of(result)) == ([title] if title else [])
    assert (len(tables_of(result, True)[0].rows) > 1) is bool(title)


def test_other_protocol_than_the_published_is_said() -> None:
    paper = scored({"a.png": 1.0}, Choices("paper")).summary()

    assert "fit the protocol released" in tables_of(paper, True)[0].caption
    assert "fit the protocol released" not in tables(True)["SemAP and SemF1"].caption


def test_thresholds_and_pooled_counts() -> None:
    found = tables()

    assert [row.cells[0] for row in found["By threshold"].rows] == ["0.7", "0.8", "0.9"]
    assert found["By threshold"].rows[1].cells[-1] == "0.5000"
    pooled = found["Pooled over all images (micro)"]
    assert list(pooled.rows[3].cells) == ["0.8 Phe", "1", "1", "1", "0.5000", "0.5000", "0.5000"]
    for table in found.values():
        assert_rectangular(table)


def test_curve_has_bars() -> None:
    table = tables(curve=[row._asdict() for row in EVALUATION.curve()])["Over the similarity threshold"]

    assert_rectangular(table)
    assert [row.cells[-1].count("█") for row in table.rows] == [10] * 6 + [5] * 4  # both to 0.75, then one of two
    assert {len(row.cells[-1]) for row in table.rows} == {10}


def test_group_without_counted_images_has_no_figures() -> None:
    empty = {"images": 0, "left_out": 1}
    full = {"images": 1, **{name: dict.fromkeys(VIEWS, 0.5) for name in ("SemAP", "SemF1")}}
    kind = {"predictions": 1, "ground_truth": 0, **{v: {"precision": 1.0, "recall": 0.0, "F1": 0.0} for v in VIEWS}}

    found = tables(by={"source": {"one": empty, "two": full}, "kind": {"anatomy": kind}})

    assert list(found["By source"].rows[0].cells) == ["one", "0", *[""] * 6]
    assert list(found["By source"].rows[1].cells) == ["two", "1", *["0.5000"] * 6]
    assert "averaged over the thresholds" in found["By kind of anomaly"].caption
    assert list(found["By kind of anomaly"].rows[0].cells) == ["anatomy", "1", "0", "1.0000", *["0.0000"] * 4]


@pytest.mark.parametrize("published", [True, False])
def test_detection_counts_what_was_not_recognised(published: bool) -> None:
    figures = {name: dict.fromkeys(VIEWS, 0.25) for name in ("CSemAP", "CSemF1")}
    counts = {"judged": 4, "unrecognised": 1, "unanswered": 2, "unlabelled": 3}
    counts["unscored"] = 5
    result = {"Acc": 0.5, "Acc_by_class": {"real": None, "ai": 0.5}, "all_images": figures, **counts, **figures}

    table = tables(published, **result)["Deepfake detection"]

    assert_rectangular(table)
    assert list(table.rows[0].cells) == ["these predictions, AI images", "50.00", *["0.2500"] * 6]
    for part in (
        "real no image, ai 50.00 %. 4 images judged, 1 answer unrecognised",
        "2 without an answer",
        "5 AI images",
    ):
        assert part in table.caption
    assert (len(table.rows) > 2) is published
