"""Who gets the places of requests in flight."""

from __future__ import annotations

import asyncio
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.models import places
from anomagent.models.places import Places


async def _line_up(gate: Places, images: list[str], order: list[str]) -> list[asyncio.Task[None]]:
    async def call(image: str) -> None:
        async with gate.place(image):
            order.append(image)

    tasks = [asyncio.create_task(call(image)) for image in images]
    await asyncio.sleep(0)
    return tasks


async def test_images_begun_earlier_go_first_and_their_calls_in_order() -> None:
    gate, order = Places(1), list[str]()
    for image in "abc":
        async with gate.place(image):
            pass
    async with gate.place("z"):
        tasks = await _line_up(gate, ["d", "c", "a", "", "b", "a", "e", ""], order)
    await asyncio.gather(*tasks)

    assert order == ["a", "a", "b", "c", "d", "", "e", ""], "text alone has the rank of its arrival"


async def test_a_free_place_is_nobody_elses() -> None:
    gate, order = Places(2), list[str]()
    async with gate.place("a"):
        await asyncio.gather(*await _line_up(gate, ["b", "a", "b"], order))
    assert sorted(order) == ["a", "b", "b"]


async def test_a_place_that_comes_with_the_cancellation_is_handed_on() -> None:
    gate, order = Places(1), list[str]()
    async with gate.place("a"):
        first, second = await _line_up(gate, ["a", "b"], order)
    first.cancel()  # it has its place, and was not yet told
    await second
    with pytest.raises(asyncio.CancelledError):
        await first
    assert order == ["b"]


async def test_who_gives_up_waiting_is_passed_over() -> None:
    gate, order = Places(1), list[str]()
    async with gate.place("a"):
        tasks = await _line_up(gate, ["a", "b"], order)
        tasks[0].cancel()
    await tasks[1]
    assert order == ["b"]


async def test_a_failure_gives_its_place_back() -> None:
    gate = Places(1)
    for _ in range(2):
        with pytest.raises(ZeroDivisionError):
            async with gate.place("a"):
                raise ZeroDivisionError


@given(st.integers(1, 4), st.integers(0, 10_000))
def test_never_more_than_there_are_places_and_none_is_lost(number: int, seed: int) -> None:
    chance = random.Random(seed)

    async def run() -> None:
        gate, inside, most = Places(number), 0, 0

        async def call(image: str, turns: int) -> None:
            nonlocal inside, most
            async with gate.place(image):
                inside += 1
                most = max(most, inside)
                try:
                    for _ in range(turns):
                        await asyncio.sleep(0)
                finally:
                    inside -= 1

        tasks = [asyncio.create_task(call(chance.choice("abc") * chance.randint(0, 1), 2)) for _ in range(20)]
        for task in tasks:
            await asyncio.sleep(0)
            if chance.random() < 0.4:
                task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert most <= number
        async with asyncio.timeout(5):
            for _ in range(number):
                await gate.place("x").__aenter__()  # all of them are free again

    asyncio.run(run())


async def test_ranks_of_long_finished_images_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(places, "_REMEMBERED", 5)
    gate = Places(1)
    for number in range(100):
        async with gate.place(str(number)):
            pass
    assert list(gate._ranks) == ["95", "96", "97", "98", "99"]  # pyright: ignore[reportPrivateUsage]
