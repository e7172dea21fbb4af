from __future__ import annotations

import pytest

from anomagent.batch.meter import Meter
from anomagent.models.seam import Event, EventKind
from anomagent.models.types import Usage


class Clock:
    """Time that passes when it is told to."""

    now = 100.0

    def __call__(self) -> float:
        return self.now


def event(kind: EventKind, key: str = "k", usage: Usage = Usage(), detail: str = "") -> Event:  # noqa: B008
    return Event(kind, key, "SceneScanner", "scan", None, 0, detail, usage)


def test_a_call_with_a_repair_counts_its_tokens_once() -> None:
    meter = Meter()
    meter.on_event(event("sent"))
    # Events carry what the call has cost so far: 100 + 10 with the bad answer, 220 + 30 with the good one.
    meter.on_event(event("repair", usage=Usage(100, 0, 10)))
    assert meter.usage == Usage(100, 0, 10)
    meter.on_event(event("sent", usage=Usage(100, 0, 10)))
    meter.on_event(event("answered", usage=Usage(220, 80, 30)))
    assert (meter.requests, meter.answers, meter.usage) == (2, 1, Usage(220, 80, 30))
    # 80 of 220 input tokens were cached.
    assert meter.cached_share == pytest.approx(80 / 220)


def test_shares_without_anything_are_zero() -> None:
    meter = Meter()
    assert (meter.hit_share, meter.cached_share) == (0, 0)


def test_hits_are_a_share_of_answers() -> None:
    meter = Meter()
    for kind in ("ledger_hit", "answered", "ledger_hit", "failed", "answered", "ledger_hit"):
        meter.on_event(event(kind))
    assert meter.hit_share == 3 / 5


def test_rates_look_back_half_a_minute() -> None:
    clock = Clock()
    meter = Meter(clock)
    for second in range(60):
        clock.now = 101.0 + second
        # Ten answers a second in the first half minute, two in the second; each of 5 tokens.
        for number in range(10 if second < 30 else 2):
            meter.on_event(event("answered", f"{second}.{number}", Usage(4, 0, 1)))
        calls, tokens = meter.rates()
        if second == 9:
            assert (calls, tokens) == (10, 50)
    assert (calls, tokens) == (2, 10)


def test_memory_is_that_of_calls_in_flight() -> None:
    meter = Meter()
    for number in range(1_000):
        meter.on_event(event("sent", str(number)))
        meter.on_event(event("failed" if number % 2 else "answered", str(number), Usage(1, 0, 1)))
    assert meter.usage == Usage(1_000, 0, 1_000)
    assert not meter._open  # pyright: ignore[reportPrivateUsage]


def test_trouble_is_shown_until_an_answer_comes() -> None:
    meter = Meter()
    meter.on_event(event("retry", detail="unavailable, again in 2.0 s"))
    assert meter.trouble == "SceneScanner: retry, unavailable, again in 2.0 s"
    meter.on_event(event("answered"))
    assert meter.trouble == ""
