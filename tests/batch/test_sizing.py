"""Sizing: hours under limits, GPU hours and bytes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.batch.sizing import Limits, Throughput, database_bytes, duration, gpu_hours


def test_calls_in_flight_bind_where_nothing_else_does() -> None:
    """1800 calls of 4 s, 2 at a time: 3600 s."""
    found = duration(1800, 1e6, Limits(2), 4.0)
    assert (found.hours, found.binding) == (1.0, "concurrency")


def test_the_slowest_limit_binds() -> None:
    """1800 calls: at 100 in flight 72 s; at 10 a minute 3 h; 6 million tokens at 50,000 a minute 2 h."""
    limits = Limits(100, requests_per_minute=10, tokens_per_minute=50_000)
    found = duration(1800, 6e6, limits, 4.0)
    assert (found.hours, found.binding) == (3.0, "requests_per_minute")
    assert duration(1800, 12e6, limits, 4.0).binding == "tokens_per_minute"


@given(calls=st.floats(0, 1e9), tokens=st.floats(0, 1e12), seconds=st.floats(0.01, 100), slots=st.integers(1, 1000))
def test_a_further_limit_never_makes_it_faster(calls: float, tokens: float, seconds: float, slots: int) -> None:
    free = duration(calls, tokens, Limits(slots), seconds)
    bound = duration(calls, tokens, Limits(slots, 60.0, 1e6), seconds)
    assert bound.hours >= free.hours


def test_gpu_hours() -> None:
    """(3.6 - 0.0) million at 1000 a second are 1 h, 1.8 million at 500 are 1 h; cached tokens are free."""
    gpu = Throughput(prefill=1000, decode=500)
    assert gpu_hours(3.6e6, 0, 1.8e6, gpu) == pytest.approx(2.0)
    assert gpu_hours(3.6e6, 3.6e6, 1.8e6, gpu) == pytest.approx(1.0)


def test_database_bytes() -> None:
    """Tables without rows take nothing."""
    assert database_bytes({"calls": 100.0, "objects": 7.0, "runs": 50.0}, {"calls": 3, "objects": 2}) == 314.0
