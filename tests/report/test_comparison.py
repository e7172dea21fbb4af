"""The comparison of two systems as facts and a table."""

from __future__ import annotations

from anomagent.evaluation.bootstrap import compare
from anomagent.report.comparison import comparison_facts, comparison_table
from tests.report.test_evaluation import scored
from tests.report.test_scores import EVALUATION, assert_rectangular


def test_comparison_shows_both_and_their_difference() -> None:
    better, worse = scored({"a.png": 0.95, "b.png": 0.95}), EVALUATION
    result = {
        "a": {"predictions": "good", **better.summary()},
        "b": {"predictions": "poor", **worse.summary()},
        "difference": compare(better.scores, worse.scores, 100),
    }

    table = comparison_table(result)
    assert_rectangular(table)
    rows = {row.cells[0]: row.cells[-1] for row in table.rows}
    assert (rows["A"], rows["B"], rows["A - B"], rows["p"]) == ("1.0000", "0.6667", "+0.3333", "–")
    said = "\n".join(comparison_facts(result))
    assert "A: good. B: poor." in said
    assert "over 2 images that both have, 100 resamples, seed 0" in said


def test_comparison_of_one_image_says_that_nothing_varies() -> None:
    one = scored({"a.png": 0.95})
    summary = {"predictions": "x", **one.summary()}

    said = comparison_facts({"a": summary, "b": summary, "difference": compare(one.scores, one.scores, 100)})

    assert said[-1].startswith("one image: there is nothing to resample")
