from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from anomagent.state.findings import Analysis, Anomaly, CallRef, UsageTotals


def call(**changes: Any) -> CallRef:
    """A call that was asked once and cost 0.25 dollars."""
    plain: CallRef = {
        "key": "k",
        "role": "SceneScanner",
        "step": "scan",
        "object": None,
        "slot": 0,
        "ledger_hit": False,
        "attempts": 1,
        "input_tokens": 100,
        "cached_input_tokens": 40,
        "output_tokens": 10,
        "usd": 0.25,
    }
    return plain | changes  # pyright: ignore[reportReturnType]


def hit() -> CallRef:
    """A call that the ledger answered."""
    return call(ledger_hit=True, attempts=0, input_tokens=0, cached_input_tokens=0, output_tokens=0, usd=0.0)


def test_no_call_costs_nothing() -> None:
    assert UsageTotals.of([]) == UsageTotals(calls=0, ledger_hits=0, usd=0.0)


def test_usage_is_added_up() -> None:
    totals = UsageTotals.of(iter([call(), call(attempts=3, usd=0.5), hit()]))
    # 1 + 3 requests; 2 x 100, 2 x 40 and 2 x 10 tokens; 0.25 + 0.5 dollars; the hit adds only itself.
    assert totals == UsageTotals(
        calls=4, ledger_hits=1, input_tokens=200, cached_input_tokens=80, output_tokens=20, usd=0.75
    )


def test_one_unknown_price_makes_the_sum_unknown() -> None:
    assert UsageTotals.of([call(), call(usd=None)]).usd is None


QUADRUPLE = {"name": "floating cup", "phenomenon": "it floats", "reasoning": "gravity"}


@pytest.mark.parametrize("severity", [0, 50, 100])
def test_severity_lies_between_0_and_100(severity: int) -> None:
    anomaly = Anomaly(**QUADRUPLE, severity=severity)
    assert (anomaly.severity, anomaly.objects, anomaly.support) == (severity, [], 0)


@pytest.mark.parametrize("severity", [-1, 101, 10.5, "25/100", None])
def test_other_severities_are_refused(severity: Any) -> None:
    with pytest.raises(ValidationError):
        Anomaly(**QUADRUPLE, severity=severity)


def test_an_anomaly_cannot_be_changed() -> None:
    anomaly = Anomaly(**QUADRUPLE, severity=10)
    with pytest.raises(ValidationError, match="frozen"):
        anomaly.severity = 20  # pyright: ignore[reportAttributeAccessIssue]


def test_analysis_has_the_keys_that_scripts_rely_on() -> None:
    """`run --json` prints these; a change breaks other people's scripts."""
    analysis = Analysis(
        image="a.png",
        sha256="ab",
        status="ok",
        schedule="paper",
        anomalies=[Anomaly(**QUADRUPLE, severity=10)],
        failures=[{"role": "SceneScanner", "object": None, "error": "refused", "message": "no"}],
        usage=UsageTotals.of([call()]),
        seconds=1.5,
    ).model_dump()
    assert shape_of(analysis) == "image sha256 status schedule anomalies failures usage seconds"
    assert shape_of(analysis["anomalies"][0]) == "name phenomenon reasoning severity objects support"
    assert shape_of(analysis["failures"][0]) == "role object error message"
    assert shape_of(analysis["usage"]) == "calls ledger_hits input_tokens cached_input_tokens output_tokens usd"


def shape_of(entry: dict[str, Any]) -> str:
    """The keys in their order."""
    return " ".join(entry)
