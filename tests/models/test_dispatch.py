"""How many requests, how fast, how often: the gate that all of them pass."""

from __future__ import annotations

import asyncio

import pytest

from anomagent.errors import BadRequest, ConfigurationError, ModelError, RateLimited, Unavailable
from anomagent.models.budget import Budget
from anomagent.models.call import Call
from anomagent.models.dispatch import Dispatcher
from anomagent.models.fake import FakeModel
from anomagent.models.limits import Limits
from anomagent.models.prices import Price
from anomagent.models.types import Completion, Usage
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef


class Gate:
    """A dispatcher that never sleeps, over a scripted model."""

    def __init__(self, model: FakeModel, image: ImageRef, price: Price | None = None, **limits: float) -> None:
        self.limits = Limits(**limits)  # type: ignore[arg-type]
        self.budget = Budget(self.limits.budget_usd)
        self.pauses: list[float] = []
        self.retries: list[ModelError] = []
        self._dispatcher = Dispatcher(self.limits, self.budget, self._sleep)
        prompt = render_list(0)
        self.call = Call.of(model, price, AnalysisContext(), image, prompt, prompt.reply, None, 0)

    async def send(self) -> Completion:
        """Send one request."""
        request = self.call.request(100, ())
        return (await self._dispatcher.send(self.call, request, lambda error, _: self.retries.append(error)))[0]

    async def _sleep(self, seconds: float) -> None:
        self.pauses.append(seconds)
        await asyncio.sleep(0)


async def test_no_more_requests_at_once_than_allowed(image: ImageRef) -> None:
    model = FakeModel().on(says="x", delay=0.001)
    gate = Gate(model, image, concurrency=3)

    await asyncio.gather(*(gate.send() for _ in range(20)))

    assert (len(model.requests), model.most_in_flight) == (20, 3)


async def test_who_waits_for_the_next_try_holds_no_place(image: ImageRef) -> None:
    busy = RateLimited("busy")
    busy.retry_after = 5
    gate = Gate(FakeModel().on(says=[busy, "x"]), image, concurrency=1)
    others: list[Completion] = []

    async def sleep(seconds: float) -> None:
        others.append(await gate.send())

    gate._dispatcher._sleep = sleep  # pyright: ignore[reportPrivateUsage]
    async with asyncio.timeout(10):
        await gate.send()

    assert len(others) == 1


@pytest.mark.parametrize("error", [RateLimited, Unavailable])
async def test_tries_are_bounded_and_the_last_error_rises(error: type[ModelError], image: ImageRef) -> None:
    model = FakeModel().on(says=[error("1"), error("2"), error("3"), error("4")])
    gate = Gate(model, image, attempts=3)

    with pytest.raises(error, match="3"):
        await gate.send()

    assert gate.call.tally.attempts == len(model.requests) == 3
    assert [str(retry) for retry in gate.retries] == ["1", "2"]


async def test_pauses_grow_and_differ(image: ImageRef) -> None:
    gate = Gate(FakeModel().on(says=Unavailable("away")), image, attempts=9, retry_seconds=10_000)

    with pytest.raises(Unavailable):
        await gate.send()

    assert all(0 <= pause <= min(60, 2**number) for number, pause in enumerate(gate.pauses))
    assert len(set(gate.pauses)) == 8


async def test_what_cannot_succeed_is_not_tried_again(image: ImageRef) -> None:
    model = FakeModel().on(says=BadRequest("wrong key"))
    gate = Gate(model, image)

    with pytest.raises(BadRequest):
        await gate.send()

    assert len(model.requests) == 1


async def test_the_pace_is_kept_from_the_first_request_on(image: ImageRef) -> None:
    gate = Gate(FakeModel(), image, requests_per_minute=6000.0)
    loop = asyncio.get_running_loop()
    began = loop.time()

    await asyncio.gather(*(gate.send() for _ in range(6)))

    assert loop.time() - began >= 0.045, "five gaps of 10 ms: no burst at the start"


async def test_promises_of_requests_in_flight_count_against_the_budget(image: ImageRef) -> None:
    price = Price(input=0, output=10_000)  # 100 tokens of room: 1 dollar
    model = FakeModel().on(says=Completion("x", Usage(0, 0, 10)), delay=0.01)
    gate = Gate(model, image, price, budget_usd=2.5)

    outcomes = await asyncio.gather(*(gate.send() for _ in range(4)), return_exceptions=True)

    assert [type(outcome).__name__ for outcome in outcomes] == ["Completion"] * 2 + ["OutOfBudget"] * 2
    assert gate.budget.spent == pytest.approx(0.2)
    await gate.send()  # what was promised and not spent is free again


BAD_LIMITS = [
    ({"concurrency": 0}, "concurrency must be at least 1"),
    ({"attempts": 0}, "attempts must be at least 1"),
    ({"max_tokens": 100, "max_tokens_cap": 50}, r"max_tokens_cap \(50\) is below max_tokens"),
    ({"requests_per_minute": 0}, "requests_per_minute must be above 0"),
]


@pytest.mark.parametrize(("limits", "message"), BAD_LIMITS, ids=str)
def test_limits_that_make_no_sense_are_said(limits: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Limits(**limits)
