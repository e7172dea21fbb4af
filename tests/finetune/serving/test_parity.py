"""The verdict about a merged model, from numbers written by hand."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from anomagent.finetune.serving.parity import Difference, figure, judge

GOOD = Difference(
    probe="p",
    prompt_tokens=10,
    prompt_equal=True,
    answer_tokens=5,
    answer_equal=True,
    first_difference=None,
    gap=None,
    largest=0.5,
    mean=0.01,
    scale=20.0,
    effect=3.0,
)
NAN = float("nan")


def _apart(gap: float | None) -> Difference:
    return replace(GOOD, answer_equal=False, first_difference=2, gap=gap)


# bfloat16 allows 0.05 x 20 = 1.0, so 0.5 is fine; half of the adapter's effect is 1.5.
@pytest.mark.parametrize(
    ("probe", "says"),
    [
        (GOOD, ""),
        (replace(GOOD, largest=1.0), ""),
        (replace(GOOD, largest=1.01), "logits differ by 1.01, more than 1"),
        (replace(GOOD, largest=NAN), "logits differ by nan"),
        (replace(GOOD, largest=0.5, effect=1.0), "the adapter itself changes only 1"),
        (replace(GOOD, largest=0.5, effect=NAN), "the adapter itself changes only nan"),
        (replace(GOOD, prompt_equal=False), "other tokens of the same question"),
        (_apart(2.0), ""),  # both may be off by 1.0, so a preference of 2.0 can turn
        (_apart(2.01), "greedy answers differ from token 2 on"),
        (_apart(None), "greedy answers differ"),  # one answer ends where the other goes on
    ],
)
def test_the_verdict(probe: Difference, says: str) -> None:
    verdict = judge((GOOD, probe), "bfloat16", "bfloat16")
    assert verdict.ok == (not says)
    assert says in verdict.reason
    assert verdict.tolerance == 0.05


def test_a_stricter_tolerance() -> None:
    assert judge((GOOD,), "bfloat16", "bfloat16", 0.025).ok
    assert not judge((GOOD,), "bfloat16", "bfloat16", 0.024).ok
    assert not judge((GOOD,), "float32", "float32").ok


def test_the_report() -> None:
    report = judge((GOOD, replace(GOOD, largest=0.7, mean=0.03, effect=2.0)), "bfloat16", "bfloat16").report()
    assert (report["max_difference"], report["mean_difference"], report["adapter_effect"]) == (0.7, 0.02, 3.0)
    assert (report["ok"], report["reason"], report["tokens_equal"]) == (True, None, True)


def test_what_is_no_number_is_null() -> None:
    report = judge((GOOD, replace(GOOD, largest=NAN, mean=float("inf"))), "bfloat16", "bfloat16").report()
    assert (report["max_difference"], report["probes"][1]["mean"]) == (None, None)
    json.dumps(report, allow_nan=False)
    assert (figure(None), figure(0.12345)) == ("no number", "0.123")
