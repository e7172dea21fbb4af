"""While a server wants to be left alone: nobody asks its model, and nobody keeps a place or money from others."""

from __future__ import annotations

import asyncio
from typing import Any

from anomagent.errors import RateLimited
from anomagent.models.fake import FakeModel
from anomagent.models.prices import Price
from anomagent.models.types import Completion, Usage
from anomagent.state.findings import ImageRef
from tests.models.gate import Gate


async def _turns() -> None:
    """Let everybody go as far as they get."""
    for _ in range(20):
        await asyncio.sleep(0)


async def test_all_wait_while_a_busy_server_wants_to_be_left_alone(image: ImageRef) -> None:
    busy = RateLimited("busy")
    busy.retry_after = 7
    model = FakeModel().on(says=[busy, "x"])
    gate = Gate(model, image, concurrency=8)
    asked: list[int] = []

    async def sleep(seconds: float) -> None:
        others = [asyncio.create_task(gate.send()) for _ in range(3)]
        await _turns()
        asked.append(len(model.requests))
        late.extend(others)
        gate.pauses.append(seconds)

    late: list[asyncio.Task[Completion]] = []
    gate.dispatcher._sleep = sleep  # pyright: ignore[reportPrivateUsage]
    await gate.send()
    await asyncio.gather(*late)

    assert (gate.pauses, asked) == ([7], [1])
    assert len(model.requests) == 5


async def test_a_pause_that_begins_while_a_request_waits_for_its_place_holds(image: ImageRef) -> None:
    model = FakeModel().on(says="x")
    gate = Gate(model, image, concurrency=1)
    dispatcher: Any = gate.dispatcher
    async with dispatcher._places.place("earlier"):
        waiting = asyncio.create_task(gate.send())
        await _turns()
        pause = dispatcher._pace.pause("fake")
        pause.__enter__()
    await _turns()
    assert model.requests == []
    pause.__exit__(None, None, None)
    await waiting
    assert len(model.requests) == 1


async def test_who_waits_for_a_busy_model_keeps_nothing_from_others(image: ImageRef) -> None:
    """One place and a budget for one request: all calls to a model with a pause leave both to another model."""
    price = Price(input=0, output=10_000)  # 100 tokens of room: 1 dollar
    answer = Completion("x", Usage(0, 0, 10))
    busy, idle = FakeModel(identity="busy").on(says=answer), FakeModel(identity="idle").on(says=answer)
    gate = Gate(busy, image, price, concurrency=1, budget_usd=1.5)
    dispatcher: Any = gate.dispatcher
    with dispatcher._pace.pause("busy"):
        waiting = [asyncio.create_task(gate.send()) for _ in range(3)]
        await _turns()
        assert gate.budget.standing.promised == 0
        gate.model = idle
        async with asyncio.timeout(10):
            await gate.send(image)
    await asyncio.gather(*waiting)
    assert (len(busy.requests), len(idle.requests)) == (3, 1)
