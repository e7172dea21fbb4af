"""Many questions with few of them in flight."""

from __future__ import annotations

import asyncio

import pytest

from anomagent.models.many import map_all


class Desk:
    """Work that counts who is at it; an item waits for its event before it is done."""

    def __init__(self) -> None:
        self.started: list[int] = []
        self.ended: list[int] = []
        self.gates: dict[int, asyncio.Event] = {}

    async def work(self, item: int) -> int:
        self.started.append(item)
        try:
            await self.gates.setdefault(item, asyncio.Event()).wait()
        finally:
            self.ended.append(item)
        if item < 0:
            raise ValueError(item)
        return item * item


async def _settle() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_results_are_in_order_and_told_as_they_come() -> None:
    desk, told = Desk(), list[int]()
    everything = asyncio.create_task(map_all(desk.work, [1, 2, 3], in_flight=2, on_done=told.append))
    await _settle()
    assert desk.started == [1, 2]
    desk.gates[2].set()
    await _settle()
    assert (desk.started, told) == ([1, 2, 3], [4])
    desk.gates[3].set()
    desk.gates[1].set()
    assert await everything == [1, 4, 9]
    assert sorted(told) == [1, 4, 9]


async def test_nothing_to_do() -> None:
    assert await map_all(Desk().work, []) == []


async def test_the_first_error_ends_everything() -> None:
    desk = Desk()
    everything = asyncio.create_task(map_all(desk.work, [1, -2, 3], in_flight=2))
    await _settle()
    desk.gates[-2].set()
    with pytest.raises(ValueError, match="-2"):
        await everything
    assert desk.started == [1, -2]
    assert desk.ended == [-2, 1]


async def test_cancelling_leaves_no_task_behind() -> None:
    desk = Desk()
    everything = asyncio.create_task(map_all(desk.work, [1, 2], in_flight=2))
    await _settle()
    everything.cancel()
    with pytest.raises(asyncio.CancelledError):
        await everything
    assert sorted(desk.ended) == [1, 2]
