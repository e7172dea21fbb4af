"""Gathering calls into batches, without any model."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence

import pytest

from anomagent.models.batching import Batcher, Ticket

Batch = Sequence[Ticket[int, int]]


class Doubling:
    """Doubles numbers, fails at negative ones, and keeps the batches that it was given."""

    def __init__(self) -> None:
        self.batches: list[list[int]] = []
        self.threads: set[str] = set()
        self.go = threading.Event()
        self.go.set()

    def __call__(self, batch: Batch) -> Sequence[int | Exception]:
        self.go.wait(10)
        self.batches.append([ticket.item for ticket in batch])
        self.threads.add(threading.current_thread().name)
        return [ValueError("negative") if ticket.item < 0 else 2 * ticket.item for ticket in batch]


async def test_concurrent_items_share_batches_of_bounded_size() -> None:
    work = Doubling()
    batcher = Batcher(work, largest=4, window=0.01)
    results = await asyncio.gather(*(batcher.submit(number) for number in range(10)))
    assert results == [2 * number for number in range(10)]
    assert [len(batch) for batch in work.batches] == [4, 4, 2]
    assert len(work.threads) == 1
    await batcher.aclose()


async def test_groups_are_not_mixed() -> None:
    work = Doubling()
    batcher = Batcher(work, largest=8, window=0.01)
    await asyncio.gather(*(batcher.submit(number, group=number % 2) for number in range(6)))
    assert sorted(map(sorted, work.batches)) == [[0, 2, 4], [1, 3, 5]]
    await batcher.aclose()


async def test_an_item_fails_alone() -> None:
    batcher = Batcher(Doubling(), largest=8, window=0.01)
    good, bad = await asyncio.gather(batcher.submit(1), batcher.submit(-1), return_exceptions=True)
    assert good == 2
    assert isinstance(bad, ValueError)
    await batcher.aclose()


async def test_who_gives_up_while_waiting_is_not_computed() -> None:
    work = Doubling()
    work.go.clear()
    batcher = Batcher(work, largest=1, window=0)
    first = asyncio.create_task(batcher.submit(1))
    await asyncio.sleep(0.01)
    second, third = asyncio.create_task(batcher.submit(2)), asyncio.create_task(batcher.submit(3))
    await asyncio.sleep(0)
    second.cancel()
    await asyncio.sleep(0)
    work.go.set()
    assert await asyncio.gather(first, third) == [2, 6]
    assert work.batches == [[1], [3]]
    await batcher.aclose()


async def test_closing_lets_nobody_wait_for_ever() -> None:
    """One item is being computed, the other one waits: both callers come back."""
    work = Doubling()
    work.go.clear()
    batcher = Batcher(work, largest=1, window=0)
    waiting = [asyncio.create_task(batcher.submit(number)) for number in (1, 2)]
    await asyncio.sleep(0.01)
    closing = asyncio.create_task(batcher.aclose())
    work.go.set()
    async with asyncio.timeout(5):
        await closing
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert any(isinstance(outcome, asyncio.CancelledError) for outcome in outcomes)


@pytest.mark.parametrize("error", [RuntimeError("boom"), MemoryError()])
async def test_a_failing_batch_fails_all_its_callers(error: Exception) -> None:
    def fail(batch: Batch) -> Sequence[int | Exception]:
        raise error

    batcher: Batcher[int, int] = Batcher(fail, largest=4, window=0.01)
    outcomes = await asyncio.gather(batcher.submit(1), batcher.submit(2), return_exceptions=True)
    assert [type(outcome) for outcome in outcomes] == [type(error)] * 2
    await batcher.aclose()
