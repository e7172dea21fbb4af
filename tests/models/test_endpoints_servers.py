"""Several real servers on the loopback: one is killed, slow, failing, back again; no call is lost or asked twice."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from anomagent.errors import Unavailable
from anomagent.models import imaging
from anomagent.models.endpoints import Endpoints
from anomagent.models.registry import resolve
from anomagent.models.types import Answer
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.findings import ImageRef
from tests.models.clockwork import Clockwork
from tests.models.server import HANGS, Asked, Reaction, Server, fails, says
from tests.models.talking import Talk, talk


class Servers:
    """Two servers behind one client whose clock moves with every rest of a call."""

    def __init__(self, one: Server, two: Server, client: Endpoints, talking: Talk) -> None:
        self.one, self.two, self.client, self.talking = one, two, client, talking

    async def ask(self, number: int) -> Answer[Any]:
        """Ask about image `number`."""
        prompt, image = render_list(0), self.talking.image
        other: ImageRef = {**image, "sha256": f"{number:064x}"}
        return await self.talking.seam.ask(self.talking.context, other, prompt, prompt.reply)

    async def ask_all(self, *numbers: int) -> None:
        await asyncio.gather(*(self.ask(number) for number in numbers))

    def good(self) -> int:
        """Answers that were paid for."""
        outcomes = self.talking.outcomes()
        assert outcomes.count("good") == len(outcomes), "nothing but retries hides behind the answers"
        return len(outcomes)


@pytest.fixture
def two() -> Iterator[Server]:
    with Server() as server:
        yield server


@asynccontextmanager
async def _both(
    one: Server, two: Server, image: ImageRef, timeout: float = 20.0, **limits: Any
) -> AsyncGenerator[Servers]:
    client = resolve("openai:m", base_url=one.url, more_base_urls=[two.url], timeout=timeout)
    assert isinstance(client, Endpoints)
    client.clock = clock = Clockwork()
    async with talk(image, client=client, **limits) as talking:

        async def sleep(seconds: float) -> None:
            talking.pauses.append(seconds)
            await clock.sleep(seconds + 0.001)

        talking.seam._dispatcher._sleep = sleep  # pyright: ignore[reportPrivateUsage]
        yield Servers(one, two, client, talking)


async def test_both_are_asked_and_the_ledger_knows_one_model(server: Server, two: Server, image: ImageRef) -> None:
    async with _both(server, two, image, concurrency=4) as servers:
        await servers.ask_all(*range(40))

        assert len(server.asked) + len(two.asked) == 40
        assert min(len(server.asked), len(two.asked)) >= 5
        assert {row["model"] for row in servers.talking.ledger.attempts} == {f"openai:m@{server.url}"}


async def test_a_server_killed_in_the_middle(server: Server, image: ImageRef) -> None:
    with Server() as two:
        async with _both(server, two, image, concurrency=4) as servers:
            await servers.ask_all(*range(20))
            first = len(server.asked)
            before = len(two.asked)
            assert before > 0
            _kill(two)
            await servers.ask_all(*range(20, 60))

            assert servers.good() == 60
            assert len(server.asked) - first == 40
            # It was tried a few times and then left alone but for probes, so few calls had to wait.
            assert 1 <= len(servers.talking.pauses) <= 20


def _kill(server: Server) -> None:
    server.__exit__()


async def test_a_server_that_fails_and_comes_back(server: Server, two: Server, image: ImageRef) -> None:
    two.script = [fails(500)]
    async with _both(server, two, image, concurrency=4) as servers:
        await servers.ask_all(*range(40))
        assert servers.good() == 40
        assert len(two.asked) < 20
        failed = len(two.asked)

        two.script = [says()]
        servers.client.clock.now += 120  # type: ignore[attr-defined]
        await servers.ask_all(*range(40, 80))
        assert servers.good() == 80
        assert len(two.asked) - failed >= 5, "it is used again"
        assert len(server.asked) == 80 - (len(two.asked) - failed)


async def test_a_slow_server_does_not_hold_the_other_back(server: Server, two: Server, image: ImageRef) -> None:
    release = threading.Event()

    def slow(asked: Asked) -> Reaction:
        release.wait(20)
        return says()

    two.script = slow

    async with _both(server, two, image, concurrency=8) as servers:

        async def watch() -> None:
            while len(server.asked) < 24:  # with all places at the slow one this would never come
                await asyncio.sleep(0.002)
            release.set()

        async with asyncio.timeout(20):
            await asyncio.gather(servers.ask_all(*range(32)), watch())
        assert servers.good() == 32
        assert len(server.asked) >= 24


async def test_a_server_that_hangs(server: Server, two: Server, image: ImageRef) -> None:
    two.script = [HANGS]
    async with _both(server, two, image, timeout=0.3, concurrency=4) as servers:
        await servers.ask_all(*range(20))

        assert servers.good() == 20


async def test_both_away_is_an_error_that_names_a_server(server: Server, two: Server, image: ImageRef) -> None:
    server.script = two.script = [fails(503)]
    async with _both(server, two, image, attempts=4) as servers:
        with pytest.raises(Unavailable, match="the server failed \\(503\\)"):
            await servers.ask(1)
        assert len(server.asked) + len(two.asked) == 4
        assert min(len(server.asked), len(two.asked)) >= 1, "each was tried"


async def test_an_image_is_encoded_once_for_all_servers(
    server: Server, two: Server, image: ImageRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoded: list[str] = []
    encode: Callable[[str, int], str] = imaging._data_url  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(imaging, "_data_url", lambda path, size: encoded.append(path) or encode(path, size))
    server.script = two.script = [fails(503)]
    async with _both(server, two, image, attempts=4) as servers:
        with pytest.raises(Unavailable):
            await servers.ask(1)

    assert len(encoded) == 1
    assert {asked.image for asked in server.asked} == {asked.image for asked in two.asked}
