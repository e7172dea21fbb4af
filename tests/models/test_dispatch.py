"""How many requests, how fast, how often: the gate that all of them pass."""

from __future__ import annotations

import asyncio

import pytest

from anomagent.errors import BadRequest, ModelError, OutOfBudget, RateLimited, Unavailable
from anomagent.models.fake import FakeModel
from anomagent.models.prices import Price
from anomagent.models.types import Completion, Request, Usage
from anomagent.state.findings import ImageRef
from tests.models.clockwork import Clockwork
from tests.models.gate import Gate


async def test_no_more_requests_at_once_than_allowed(image: ImageRef) -> None:
    model = FakeModel().on(says="x", delay=0.001)
    gate = Gate(model, image, concurrency=3)

    await asyncio.gather(*(gate.send() for _ in range(20)))

    assert (len(model.requests), model.most_in_flight) == (20, 3)


async def test_who_waits_for_the_next_try_holds_no_place(image: ImageRef) -> None:
    gate = Gate(FakeModel().on(says=[Unavailable("away"), "x"]), image, concurrency=1)
    others: list[Completion] = []

    async def sleep(seconds: float) -> None:
        others.append(await gate.send())

    gate.dispatcher._sleep = sleep  # pyright: ignore[reportPrivateUsage]
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

    least = [min(60, 1.5 * 2**number) for number in range(8)]
    assert all(low <= pause <= min(60, low + 1) for low, pause in zip(least, gate.pauses, strict=True))
    assert len(set(gate.pauses[:5])) == 5
    assert sum(least[:5]) > 45, "five further tries outlast a server that restarts"


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


def _images(image: ImageRef, number: int) -> list[ImageRef]:
    return [{**image, "sha256": f"{index:064x}"} for index in range(number)]


async def test_the_calls_of_an_image_stay_together(image: ImageRef) -> None:
    """Five images of two rounds of three calls, two places: an image is through before later ones go on."""
    model = FakeModel().on(says="x", delay=0.002)  # longer than the way from one call to the next
    gate = Gate(model, image, concurrency=2)

    async def analyze(image: ImageRef) -> None:
        for _ in range(2):
            await asyncio.gather(*(gate.send(image) for _ in range(3)))

    await asyncio.gather(*(analyze(image) for image in _images(image, 5)))

    asked = [int(request.image_sha256, 16) for request in model.requests]
    done = [len(asked) - asked[::-1].index(number) for number in range(5)]
    open_images = [
        sum(asked.index(number) < place < done[number] for number in range(5)) for place in range(len(asked))
    ]
    # First come, first served asks all first rounds before any second one: the first image is done after 18 calls, and
    # all five are open at once. Here others get a place only where an image has fewer calls than there are places.
    assert done == sorted(done)
    assert done[0] <= 9
    assert max(open_images) <= 3
    assert len(asked) == 30


async def test_tokens_are_taken_before_and_corrected_afterwards(image: ImageRef) -> None:
    clock, sent = Clockwork(), list[float]()

    def answer(request: Request) -> Completion:
        sent.append(clock.now)
        return Completion("x", Usage(1900, 0, 100))

    # 2,000 tokens a request, 100 a second: after a bucket of 1,000 one request leaves every 20 seconds.
    gate = Gate(FakeModel().on(says=answer), image, clock=clock, tokens_per_minute=6000)
    await asyncio.gather(*(gate.send() for _ in range(20)))

    assert len(sent) == 20
    assert 18 * 20 <= sent[-1] <= 20 * 20


@pytest.mark.parametrize("dollars", [0.01, 0.1, 0.3])
async def test_the_budget_holds_at_128_requests_at_once(dollars: float, image: ImageRef) -> None:
    """1024 x 1024 pixels are 25,501 tokens for gpt-4o-mini (2833 + 4 tiles of 5667), at 0.15 USD a million."""
    large: ImageRef = {**image, "width": 1024, "height": 1024}
    answer = Completion("x", Usage(25_501 + 600, 0, 100))
    model = FakeModel(identity="openai:gpt-4o-mini").on(says=answer, delay=0.001)
    gate = Gate(model, large, Price(input=0.15, output=0.6), concurrency=128, budget_usd=dollars)

    outcomes = await asyncio.gather(*(gate.send() for _ in range(128)), return_exceptions=True)

    assert gate.budget.spent <= dollars
    assert gate.budget.spent > 0.5 * dollars
    assert {type(outcome) for outcome in outcomes} == {Completion, OutOfBudget}


async def test_patience_is_counted_from_the_first_request(image: ImageRef) -> None:
    clock = Clockwork()
    gate = Gate(FakeModel().on(says=[Unavailable("away"), "x"]), image, clock=clock, retry_seconds=60, concurrency=1)
    async with gate.dispatcher._places.place("earlier"):  # pyright: ignore[reportPrivateUsage]
        waiting = asyncio.create_task(gate.send())
        await asyncio.sleep(0)
        clock.now = 3600  # in the queue of a long batch
    await waiting

    assert len(gate.pauses) == 1


async def test_patience_ends(image: ImageRef) -> None:
    clock = Clockwork()
    model = FakeModel().on(says=Unavailable("away"))
    gate = Gate(model, image, clock=clock, retry_seconds=60, attempts=1000)
    with pytest.raises(Unavailable):
        await gate.send()

    assert clock.now < 60
    assert len(model.requests) > 2
