"""Who gets an image, and what happens when workers die, with actors that a test plays itself."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import count
from types import SimpleNamespace
from typing import Any

import pytest

from anomagent import __version__
from anomagent.batch import ray_crew
from anomagent.batch.ray_actor import Greeting
from anomagent.batch.ray_crew import LIVES, Crew, ImageKills, NoWorkers
from anomagent.errors import ConfigurationError, StoreError


class RayError(Exception):
    pass


class RayTaskError(RayError):
    def __init__(self, cause: Exception) -> None:
        self.cause = cause


class ActorDiedError(RayError):
    pass


class ActorUnavailableError(RayError):
    pass


@dataclass
class Actor:
    """An actor that does what its plan says; images and greetings that it got are in `log`."""

    greets: Callable[[int], Any] = lambda number: Greeting(__version__, {"role": "model"})
    answers: Callable[[Any], Any] = lambda image: f"reply to {image}"
    log: list[Any] = field(default_factory=list[Any])

    @property
    def greet(self) -> Any:
        return _method(lambda: self._logged("greet", lambda: self.greets(self.log.count("greet"))))

    @property
    def analyze(self) -> Any:
        return _method(lambda image: self._logged(image, lambda: self.answers(image)))

    @property
    def close(self) -> Any:
        return _method(lambda: self._logged("close", lambda: 2.5))

    @property
    def sweep(self) -> Any:
        return _method(lambda: self.log.append("sweep"))

    def _logged(self, what: Any, then: Callable[[], Any]) -> Any:
        self.log.append(what)
        return then()


def _method(work: Callable[..., Any]) -> Any:
    async def call(*arguments: Any) -> Any:
        await asyncio.sleep(0)
        result = work(*arguments)
        if isinstance(result, Exception):
            raise result
        return await result if asyncio.isfuture(result) else result

    return SimpleNamespace(remote=lambda *arguments: asyncio.ensure_future(call(*arguments)))


@asynccontextmanager
async def crew_of(
    *actors: Actor, on_loss: Callable[[str, int], None] = lambda name, life: None
) -> AsyncGenerator[Crew]:
    waiting, killed = iter(actors), list[Any]()
    factory = SimpleNamespace(options=lambda **_: SimpleNamespace(remote=lambda box, name: next(waiting)))
    errors = SimpleNamespace(
        RayError=RayError,
        RayTaskError=RayTaskError,
        ActorDiedError=ActorDiedError,
        ActorUnavailableError=ActorUnavailableError,
    )
    ray = SimpleNamespace(remote=lambda _: factory, put=lambda value: value, kill=killed.append, exceptions=errors)
    crew = Crew(ray, [{} for _ in actors], [f"w{number}" for number in range(len(actors))], on_loss)
    yield crew
    await crew.close()
    assert sorted(map(id, killed)) == sorted(map(id, actors))


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_crew, "_PAUSE", 0)


async def test_the_one_with_the_fewest_images_gets_the_next() -> None:
    gate = asyncio.get_running_loop().create_future()
    slow, fast = Actor(answers=lambda image: gate), Actor(answers=lambda image: gate)
    async with crew_of(slow, fast) as crew:
        await crew.meet()
        await asyncio.sleep(0.01)  # both have greeted
        replies = [asyncio.create_task(crew.analyze(image)) for image in (b"1", b"2", b"3", b"4")]
        await asyncio.sleep(0.05)
        gate.set_result("done")
        assert await asyncio.gather(*replies) == ["done"] * 4
    assert [len([image for image in actor.log if isinstance(image, bytes)]) for actor in (slow, fast)] == [2, 2]


async def test_the_image_of_one_that_dies_goes_to_another_until_it_is_back() -> None:
    deaths = iter([ActorUnavailableError(), ActorUnavailableError()])
    back = [ActorUnavailableError(), ActorDiedError(), Greeting(__version__, {"role": "model"})]
    mortal = Actor(
        answers=lambda image: next(deaths, "survived"),
        greets=lambda number: Greeting(__version__, {"role": "model"}) if number == 1 else back[min(number - 2, 2)],
    )
    async with crew_of(mortal) as crew:
        assert await crew.analyze(b"1") == "survived"
    assert mortal.log[:2] == ["greet", b"1"]
    assert mortal.log.count(b"1") == 3


async def test_each_death_is_told_once_with_the_life_that_ended() -> None:
    death, asked, told = asyncio.get_running_loop().create_future(), count(), list[tuple[str, int]]()

    def answers(image: object) -> object:
        number = next(asked)
        if number == 1:
            death.set_exception(ActorDiedError())
        if number < 2:
            return death
        return ActorUnavailableError() if number == 2 else "survived"

    actor = Actor(greets=lambda number: Greeting(__version__, {"role": "model"}, number), answers=answers)
    async with crew_of(actor, on_loss=lambda name, life: told.append((name, life))) as crew:
        # Both are in work when it dies for the first time.
        assert await asyncio.gather(crew.analyze(b"1"), crew.analyze(b"2")) == ["survived"] * 2
    assert told == [("w0", 1), ("w0", 2)]
    assert crew.spent == {"w0": 2.5}


async def test_an_image_that_nobody_survives_is_given_up_and_others_are_not() -> None:
    actor = Actor(answers=lambda image: ActorDiedError() if image == b"bad" else "fine")
    async with crew_of(actor) as crew:
        with pytest.raises(ImageKills, match=f"{LIVES} workers died"):
            await crew.analyze(b"bad")
        assert await crew.analyze(b"good") == "fine"
    assert actor.log.count(b"bad") == LIVES


async def test_the_batch_ends_when_all_are_dead_for_good() -> None:
    actor = Actor(
        greets=lambda number: Greeting(__version__, {}) if number == 1 else ActorDiedError(),
        answers=lambda image: ActorDiedError(),
    )
    async with crew_of(actor) as crew:
        with pytest.raises(NoWorkers, match="every worker of the Ray cluster has died"):
            await crew.analyze(b"1")


async def test_what_a_worker_raises_arrives_as_it_was() -> None:
    actor = Actor(answers=lambda image: RayTaskError(StoreError("disk full")))
    async with crew_of(actor) as crew:
        with pytest.raises(StoreError, match="disk full"):
            await crew.analyze(b"1")


WRONG = [
    (RayTaskError(ConfigurationError("no API key")), "no API key"),
    (Greeting("0.0.0", {}), "has anomagent 0.0.0"),
]


@pytest.mark.parametrize(("greeting", "message"), WRONG, ids=["no key", "another version"])
async def test_a_cluster_that_is_set_up_wrongly_ends_the_batch_at_once(greeting: Any, message: str) -> None:
    async with crew_of(Actor(greets=lambda number: greeting)) as crew:
        with pytest.raises(ConfigurationError, match=message):
            await crew.meet()


@pytest.mark.parametrize(
    ("greeting", "message"),
    [*WRONG, (Greeting(__version__, {"role": "another"}), "do not have the same models")],
    ids=["no key", "another version", "another model"],
)
async def test_one_that_cannot_be_used_is_left_out_and_said(
    greeting: Any, message: str, caplog: pytest.LogCaptureFixture
) -> None:
    good, bad = Actor(), Actor(greets=lambda number: greeting)
    async with crew_of(good, bad) as crew:
        await asyncio.sleep(0.05)  # all have greeted
        assert await crew.analyze(b"1") == "reply to b'1'"
    assert message in caplog.text
    assert b"1" not in bad.log
    assert good.log[-2:] == ["close", "sweep"]


async def test_when_the_last_one_cannot_come_back_the_batch_ends_as_where_a_store_fails() -> None:
    no_key = RayTaskError(ConfigurationError("no API key"))
    actor = Actor(
        greets=lambda number: Greeting(__version__, {}) if number == 1 else no_key,
        answers=lambda image: ActorDiedError(),
    )
    async with crew_of(actor) as crew:
        with pytest.raises(StoreError, match="every worker of the Ray cluster"):
            await crew.analyze(b"1")
