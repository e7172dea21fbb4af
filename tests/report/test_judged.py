"""What a judge said as tables."""

from __future__ import annotations

from typing import Any

import pytest

from anomagent.evaluation.agreement import Agreement
from anomagent.report.judged import judge_tables
from anomagent.report.tables import Table
from anomagent.state.findings import UsageTotals


def tables(agreement: Agreement, **more: Any) -> list[Table]:
    report = {
        "model": "m",
        "images": {"judged": 1, "both_empty": 2, "one_empty": 3, "failed": 4, "in_means": 6},
        "empty": "zero",
        "SemF1": 0.25,
        "micro": {"precision": 0.5, "recall": 0.25, "F1": 1 / 3},
        "note": None,
        "agreement": {"0.9": agreement.described("judge", "bertscore")},
        "matching_agreement": None,
        "human": None,
        "usage": UsageTotals.of([]).model_dump(),
    }
    return list(judge_tables({**report, **more}, "these"))


def test_the_mean_says_over_what_it_is() -> None:
    main, agreement = tables(Agreement(1, 1, 1, 1))

    assert list(main.rows[0].cells) == ["these", "0.2500", "0.5000", "0.2500", "0.3333"]
    assert main.caption.startswith(
        "SemF1 is the mean over 6 images; with one side empty (0, not asked): 3; empty on both sides "
        "(rule: zero): 2. 1 image judged, 4 failed and in no figure. 0 calls"
    )
    assert list(agreement.rows[0].cells) == ["judge and BERTScore ≥ 0.9", "4", "0.500", "0.000", ""]


def test_a_judge_that_failed_has_dashes_and_a_reason() -> None:
    (main,) = tables(Agreement(0, 0, 0, 0), SemF1=None, micro=None, note="The judge m gave nothing")

    assert list(main.rows[0].cells) == ["these", *"––––"]
    assert main.caption.startswith("The judge m gave nothing. 1 image judged, 4 failed")


@pytest.mark.parametrize(
    ("counts", "note"),
    [
        ((0, 3, 0, 5), "BERTScore always no"),
        ((0, 0, 3, 5), "judge always no"),
        ((5, 3, 0, 0), "judge always yes"),
        ((0, 0, 0, 8), "judge always no,\nBERTScore always no"),
        ((1, 3, 2, 2), ""),
        ((0, 0, 0, 0), ""),
    ],
    ids=str,
)
def test_a_side_that_always_says_the_same_is_named(counts: tuple[int, int, int, int], note: str) -> None:
    table = tables(Agreement(*counts))[1]

    assert table.rows[0].cells[-1] == note
    assert "kappa is 0 or undefined" in table.caption
