"""Several servers of one model: who is asked, who is left out, and when it is tried again."""

from __future__ import annotations

import asyncio
from collections import Counter

import pytest

from anomagent.errors import BadRequest, ModelError, RateLimited, Unavailable
from anomagent.models.endpoints import FIRST_REST, LONGEST_REST, PATIENCE, Endpoints
from anomagent.models.types import Completion, Request
from anomagent.prompts.object_perceiver import render_list
from tests.models.clockwork import Clockwork


class Host:
    """A server in name only: answers, fails, or holds its requests until it is released."""

    def __init__(self, name: str) -> None:
        self.identity = f"m@{name}"
        self.asked: list[Request] = []
        self.error: ModelError | None = None
        self.held: asyncio.Event | None = None
        self.closed = False

    async def complete(self, request: Request) -> Completion:
        self.asked.append(request)
        if self.held:
            await self.held.wait()
        if self.error:
            raise self.error
        return Completion(self.identity)

    async def aclose(self) -> None:
        self.closed = True


class Pool:
    """Endpoints over hosts, with a clock."""

    def __init__(self, number: int) -> None:
        self.clock = Clockwork()
        self.hosts = {name: Host(name) for name in "abcdefgh"[:number]}
        self.client = Endpoints(self.hosts, self.clock)

    async def ask(self, image: str = "") -> str:
        """Who answered: a host's name, or in capitals the one that failed."""
        before = {name: len(host.asked) for name, host in self.hosts.items()}
        try:
            await self.client.complete(_request(image))
            return self._new(before)
        except ModelError:
            return self._new(before).upper()

    async def ask_at_once(self, number: int, image: str = "") -> list[asyncio.Task[Completion]]:
        tasks = [asyncio.create_task(self.client.complete(_request(image))) for _ in range(number)]
        for _ in range(3):
            await asyncio.sleep(0)
        return tasks

    def hold(self) -> asyncio.Event:
        event = asyncio.Event()
        for host in self.hosts.values():
            host.held = event
        return event

    def _new(self, before: dict[str, int]) -> str:
        (name,) = (name for name, host in self.hosts.items() if len(host.asked) > before[name])
        return name


def _request(image: str) -> Request:
    return Request(render_list(0), image or None, image, 1000, 100, None)


async def _asks(pool: Pool, number: int, image: str = "") -> str:
    return "".join([await pool.ask(image) for _ in range(number)])


async def test_calls_without_an_image_go_round() -> None:
    pool = Pool(3)
    assert await _asks(pool, 7) == "abcabca"
    assert pool.client.identity == "m@a", "whoever answers"


async def test_the_fewest_in_flight_come_first() -> None:
    pool = Pool(3)
    pool.hosts["a"].held = held = asyncio.Event()
    tasks = await pool.ask_at_once(1)
    assert await _asks(pool, 4) == "bcbc", "a is busy with one"
    held.set()
    await asyncio.gather(*tasks)
    assert await pool.ask() == "a"


async def test_an_image_has_a_server_of_its_own_and_images_are_spread() -> None:
    pool = Pool(4)
    owners = {f"{number:064x}": await pool.ask(f"{number:064x}") for number in range(200)}
    for image, owner in owners.items():
        assert await pool.ask(image) == owner
    assert all(25 < count < 75 for count in Counter(owners.values()).values()), "50 each, with a deviation of 6"


async def test_another_server_moves_only_the_images_that_it_gets() -> None:
    few, many = Pool(3), Pool(4)
    for number in range(100):
        image = f"{number:064x}"
        before, after = await few.ask(image), await many.ask(image)
        assert after in (before, "d")


async def test_a_server_much_busier_than_the_others_is_passed_over() -> None:
    pool = Pool(2)
    owner = await pool.ask("image")
    other = "b" if owner == "a" else "a"
    before = {name: len(host.asked) for name, host in pool.hosts.items()}
    held = pool.hold()
    tasks = await pool.ask_at_once(12, "image")
    in_flight = {name: len(host.asked) - before[name] for name, host in pool.hosts.items()}
    # Its own server up to 4 while the other has none, up to 2 * 1 + 4 with one there, 2 * 2 + 4 with two, and so on.
    assert (in_flight[owner], in_flight[other]) == (9, 3)
    held.set()
    await asyncio.gather(*tasks)


async def test_a_failure_is_followed_by_another_server_and_soon_forgiven() -> None:
    pool = Pool(2)
    owner = await pool.ask("image")
    other = "b" if owner == "a" else "a"
    pool.hosts[owner].error = Unavailable("away")
    assert await _asks(pool, 4, "image") == owner.upper() + 3 * other
    pool.hosts[owner].error = None
    pool.clock.now += FIRST_REST
    assert await pool.ask("image") == owner


async def _make_sick(pool: Pool, name: str) -> None:
    pool.hosts[name].error = Unavailable("away")
    while not pool.client._servers[ord(name) - ord("a")].sick:  # pyright: ignore[reportPrivateUsage]
        await pool.ask()
        pool.clock.now += FIRST_REST / 2


async def test_a_sick_server_is_left_out_for_growing_times_and_probed_by_one_request() -> None:
    pool = Pool(2)
    await _make_sick(pool, "a")
    host, rests = pool.hosts["a"], list[float]()
    assert len(host.asked) == PATIENCE

    last = pool.client._servers[0].failed_at  # pyright: ignore[reportPrivateUsage]
    for _ in range(9):
        while (said := await pool.ask()) == "b":
            pool.clock.now += 0.25
        assert said == "A"
        rests.append(pool.clock.now - last)
        last = pool.clock.now
    assert rests == [10, 20, 40, LONGEST_REST, LONGEST_REST, LONGEST_REST, LONGEST_REST, LONGEST_REST, LONGEST_REST]

    pool.clock.now += LONGEST_REST
    host.error, host.held = None, asyncio.Event()
    probe = await pool.ask_at_once(1)
    assert await _asks(pool, 5) == "bbbbb", "one probe at a time"
    host.held.set()
    await asyncio.gather(*probe)
    host.held = None
    assert sorted(await _asks(pool, 4)) == list("aabb")
    host.error = Unavailable("away again")
    await _asks(pool, 2)
    pool.clock.now += FIRST_REST
    assert "A" in await _asks(pool, 2), "its past is forgotten"


async def test_a_probe_that_is_given_up_is_followed_by_another() -> None:
    pool = Pool(2)
    await _make_sick(pool, "a")
    pool.clock.now += 10
    pool.hosts["a"].held = asyncio.Event()
    (probe,) = await pool.ask_at_once(1)
    probe.cancel()
    with pytest.raises(asyncio.CancelledError):
        await probe
    pool.hosts["a"].held = pool.hosts["a"].error = None
    assert await pool.ask() == "a"


async def test_one_outage_counts_once_however_many_requests_it_hits() -> None:
    pool = Pool(1)
    held = pool.hold()
    tasks = await pool.ask_at_once(50)
    pool.hosts["a"].error = Unavailable("away")
    held.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    server = pool.client._servers[0]  # pyright: ignore[reportPrivateUsage]
    assert server.rests_until - pool.clock.now <= 2 * FIRST_REST


async def test_with_all_away_the_least_recently_failed_is_asked() -> None:
    pool = Pool(3)
    for host in pool.hosts.values():
        host.error = Unavailable("away")
    said = ""
    for _ in range(30):
        said += await pool.ask()
        pool.clock.now += 0.01
    assert said == "ABC" * 10, "each error is heard, and nobody waits"
    pool.hosts["b"].error = None
    assert set(await _asks(pool, 9)) - set("AC") == {"b"}


@pytest.mark.parametrize("error", [BadRequest, ModelError])
async def test_a_server_that_refuses_is_no_sick_one(error: type[ModelError]) -> None:
    pool = Pool(2)
    pool.hosts["a"].error = error("no")
    assert await _asks(pool, 20) == "Ab" * 10


async def test_a_busy_server_rests_as_long_as_it_asks_for() -> None:
    pool = Pool(2)
    busy = RateLimited("busy")
    busy.retry_after = 30
    pool.hosts["a"].error = busy
    assert await _asks(pool, 4) == "Abbb"
    assert busy.retry_after is None, "the other may be asked at once"
    pool.hosts["a"].error = None
    pool.clock.now = 29
    assert await _asks(pool, 2) == "bb"
    pool.clock.now = 30
    assert "a" in await _asks(pool, 2)


async def test_all_busy_is_said_with_the_wish() -> None:
    pool = Pool(1)
    busy = RateLimited("busy")
    busy.retry_after = 30
    pool.hosts["a"].error = busy
    assert await pool.ask() == "A"
    assert busy.retry_after == 30


async def test_all_are_closed_though_one_cannot_be() -> None:
    pool = Pool(3)

    async def broken() -> None:
        raise OSError("no")

    pool.hosts["b"].aclose = broken  # type: ignore[method-assign]
    with pytest.raises(OSError, match="no"):
        await pool.client.aclose()
    assert (pool.hosts["a"].closed, pool.hosts["c"].closed) == (True, True)
