"""Tokens per minute, and the pauses that servers ask for."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.models.limits import Limits
from anomagent.models.pace import Pace, TokenBucket
from tests.models.clockwork import Clockwork

PER_MINUTE, PER_SECOND, BUCKET = 6000.0, 100.0, 1000.0
"""The bucket holds ten seconds' worth."""

Arrival = tuple[float, int, int]
arrivals = st.lists(st.tuples(st.floats(0, 30), st.integers(1, 3000), st.integers(0, 3000)), min_size=1, max_size=30)
"""Seconds since the arrival before, tokens taken, and what they really were."""


def _bucket(clock: Clockwork) -> TokenBucket:
    return TokenBucket(PER_MINUTE, clock=clock, sleep=clock.sleep)


@given(arrivals)
def test_in_no_window_more_than_the_rate_and_one_bucket(arrivals: list[Arrival]) -> None:
    clock = Clockwork()
    bucket = _bucket(clock)
    taken: list[tuple[float, int]] = []

    async def run() -> None:
        due = 0.0
        for gap, tokens, _ in arrivals:
            due += gap
            clock.now = max(clock.now, due)
            await bucket.take(tokens)
            taken.append((clock.now, tokens))

    asyncio.run(run())
    for first in range(len(taken)):
        total = 0
        for time, tokens in taken[first:]:
            total += tokens
            # A request larger than the bucket goes when that is full: nothing but it is in excess then.
            assert total <= PER_SECOND * (time - taken[first][0]) + max(BUCKET, tokens) + 1e-3


@given(arrivals)
def test_what_was_really_used_keeps_the_rate_as_well(arrivals: list[Arrival]) -> None:
    clock = Clockwork()
    bucket = _bucket(clock)

    async def run() -> None:
        used = 0
        for gap, guess, real in arrivals:
            clock.now += gap
            await bucket.take(guess)
            assert used <= PER_SECOND * clock.now + BUCKET + 1e-3, "whatever was guessed"
            bucket.correct(guess, real)
            used += real

    asyncio.run(run())


async def test_a_full_bucket_is_there_at_first_and_after_a_rest_and_never_more() -> None:
    clock = Clockwork()
    bucket = _bucket(clock)
    await bucket.take(1000)
    assert clock.now == 0
    await bucket.take(50)
    assert clock.now == pytest.approx(0.5)
    clock.now = 1000
    await bucket.take(1000)
    await bucket.take(100)
    assert clock.now == pytest.approx(1001)


async def test_what_is_larger_than_the_bucket_goes_when_it_is_full() -> None:
    clock = Clockwork()
    bucket = _bucket(clock)
    await bucket.take(5000)
    assert clock.now == 0
    # 4000 are owed: 40 seconds, and half a second for its own 50.
    await bucket.take(50)
    assert clock.now == pytest.approx(40.5)
    await bucket.take(5000)
    assert clock.now == pytest.approx(50.5), "a full bucket again"


async def test_too_much_is_given_back_and_too_little_is_owed() -> None:
    clock = Clockwork()
    bucket = _bucket(clock)
    await bucket.take(1000)
    bucket.correct(1000, 300)
    await bucket.take(700)
    assert clock.now == 0
    bucket.correct(700, 1000)
    await bucket.take(100)
    assert clock.now == pytest.approx(4), "300 owed and 100 of its own"
    bucket.correct(100, 0)
    bucket.correct(100_000, 0)
    await bucket.take(1000)
    await bucket.take(100)
    assert clock.now == pytest.approx(5), "never more than a bucket comes back"


async def test_first_come_first_served_whatever_the_size() -> None:
    clock = Clockwork()
    bucket = _bucket(clock)
    order: list[int] = []

    async def take(number: int, tokens: int) -> None:
        await bucket.take(tokens)
        order.append(number)

    await asyncio.gather(*(take(number, tokens) for number, tokens in enumerate([1000, 900, 1, 5000, 1, 1, 2000, 1])))
    assert order == list(range(8))


async def test_who_is_cancelled_has_taken_nothing_and_blocks_nobody() -> None:
    clock = Clockwork()
    asleep = asyncio.Event()

    async def sleep(seconds: float) -> None:
        if not asleep.is_set():
            asleep.set()
            await asyncio.Event().wait()
        await clock.sleep(seconds)

    bucket = TokenBucket(PER_MINUTE, clock=clock, sleep=sleep)
    await bucket.take(1000)
    first, second = asyncio.create_task(bucket.take(1000)), asyncio.create_task(bucket.take(100))
    await asleep.wait()
    first.cancel()
    await second
    assert clock.now == pytest.approx(1)


async def test_tokens_come_back_while_somebody_sleeps() -> None:
    clock = Clockwork()

    async def sleep(seconds: float) -> None:
        await clock.sleep(seconds)
        if clock.now == 2:
            bucket.correct(1000, 0)

    bucket = TokenBucket(PER_MINUTE, clock=clock, sleep=sleep)
    await bucket.take(1000)
    await bucket.take(1000)
    assert clock.now == 2, "not 10"


async def test_a_server_that_does_not_count_changes_nothing() -> None:
    clock = Clockwork()
    pace = Pace(Limits(tokens_per_minute=PER_MINUTE), clock=clock, sleep=clock.sleep)
    await pace.take("m", 1000)
    pace.correct(1000, 0)
    await pace.take("m", 100)
    assert clock.now == pytest.approx(1)


async def test_a_pause_is_for_all_requests_to_one_model() -> None:
    pace = Pace(Limits())
    with pace.pause("m"):
        waiting = asyncio.create_task(pace.pauses_over("m"))
        assert not await pace.take("m", 1)
        assert await pace.take("other", 1)
        await pace.pauses_over("other")
        with pace.pause("m"):
            await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert not waiting.done(), "the longer pause counts"
    await waiting
    assert await pace.take("m", 1)


async def test_a_pause_that_begins_during_the_wait_for_the_limits_holds() -> None:
    clock = Clockwork()
    ready, pausing = asyncio.Event(), asyncio.Event()

    async def sleep(seconds: float) -> None:
        ready.set()
        await pausing.wait()
        await clock.sleep(seconds)

    pace = Pace(Limits(tokens_per_minute=PER_MINUTE), clock=clock, sleep=sleep)
    assert await pace.take("m", 1000)
    waiting = asyncio.create_task(pace.take("m", 100))
    await ready.wait()
    with pace.pause("m"):
        pausing.set()
        assert not await waiting
    # What it had taken is there again: the 100 tokens of the one second that passed.
    assert await pace.take("m", 100)
    assert clock.now == pytest.approx(1)
