"""One pot of money for many workers, in a real Postgres."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from anomagent.errors import OutOfBudget, StoreError, Unavailable
from anomagent.models.budget import Budget
from anomagent.models.prices import Price
from anomagent.models.types import Usage
from anomagent.store import postgres_money
from anomagent.store.postgres_ledger import PostgresLedger
from anomagent.store.postgres_money import Pot, Purse
from tests.postgres_server import Server, running_server
from tests.store.helpers import attempt
from tests.store.silence import silent

pytestmark = pytest.mark.slow

OpenPurse = Callable[[str], Purse]

A_DOLLAR = Price(input=1_000_000.0, output=0.0)
"""A dollar a token."""
WORKERS = [f"anomagent-1f-{number}" for number in range(3)]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    """An empty database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server.url


@pytest_asyncio.fixture
async def ledger(url: str) -> AsyncIterator[PostgresLedger]:
    ledger = await PostgresLedger.open(url)
    yield ledger
    await ledger.aclose()


@pytest_asyncio.fixture
async def pot(ledger: PostgresLedger) -> Pot:
    """A hundred dollars."""
    pot = Pot(ledger, "anomagent-1f", WORKERS)
    await pot.fill(100)
    return pot


@pytest.fixture
def open_purse(url: str) -> Iterator[OpenPurse]:
    with ExitStack() as stack:
        yield lambda worker: stack.enter_context(closing(Purse(url, worker)))


def left(url: str) -> float:
    return rows(url, "SELECT usd FROM anomagent_budgets")[0][0]


def rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query).fetchall()  # type: ignore[arg-type]


async def record(url: str, worker: str, key: str, usd: float, **changes: Any) -> None:
    ledger = await PostgresLedger.open(f"{url}?application_name={worker}")
    await ledger.record(attempt(key, usd=usd, **changes))
    await ledger.aclose()


async def test_a_worker_takes_what_it_needs_and_a_little_more(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    purse = open_purse(WORKERS[0])
    assert (purse.life, purse.spent) == (1, 0)
    assert purse.draw(10, 30) == 10 + 90 / 16  # a sixteenth of what is left then
    assert left(url) == 100 - 10 - 90 / 16
    purse.give_back(3)
    assert left(url) == 97
    assert purse.draw(97, 1) == 100
    assert purse.draw(0.5, 0) == 100, "nothing is left"


async def test_what_is_not_all_there_is_not_taken(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    purse = open_purse(WORKERS[0])
    assert purse.draw(101, 0) == 0
    assert left(url) == 100


async def test_a_restarted_worker_has_spent_what_it_had_spent(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    first = open_purse(WORKERS[0])
    first.draw(50, 0)
    await record(url, WORKERS[0], "a", 2)
    await record(url, WORKERS[0], "b", 1.5, status="bad")
    await record(url, WORKERS[1], "c", 40)

    second = open_purse(WORKERS[0])
    assert (second.life, second.spent, left(url)) == (2, 3.5, 96.5)
    assert second.draw(1, 0) == 4.5
    assert first.draw(1, 0) == 0, "one that was taken for dead gets nothing"


async def test_the_dead_leave_what_they_had_not_spent_once(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    purse = open_purse(WORKERS[0])
    purse.draw(50, 0)
    await record(url, WORKERS[0], "a", 2)
    for _ in range(2):
        await pot.bury(WORKERS[0], 1)
        assert left(url) == 98

    again = open_purse(WORKERS[0])
    again.draw(10, 0)
    await pot.bury(WORKERS[0], 1)
    assert left(url) == 88, "it lives again"


async def test_who_spent_more_than_granted_takes_it_from_the_pot(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    purse = open_purse(WORKERS[0])
    purse.draw(10, 0)
    purse.give_back(12)
    assert left(url) == 88


async def test_nobody_draws_from_a_pot_that_was_removed(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    purse = open_purse(WORKERS[0])
    purse.draw(10, 0)
    await pot.empty()
    assert purse.draw(1, 0) == 0
    assert rows(url, "SELECT * FROM anomagent_grants") == []


async def test_what_was_paid_is_what_is_recorded_or_what_workers_say(pot: Pot, url: str) -> None:
    await record(url, WORKERS[0], "a", 2, input_tokens=10, cached_input_tokens=4, output_tokens=1)
    await record(url, WORKERS[0], "b", 1, input_tokens=20, cached_input_tokens=0, output_tokens=2)
    await record(url, WORKERS[1], "c", 8, input_tokens=40, cached_input_tokens=0, output_tokens=4)
    await record(url, "somebody", "d", 16)
    # The first says that a request of half a dollar may be billed without an answer; the second died; the third idles.
    usd, requests, usage = await pot.paid({WORKERS[0]: 3.5, WORKERS[2]: 0.0})
    assert (usd, requests, usage) == (11.5, 3, Usage(70, 4, 7))


async def test_an_idle_batch_has_paid_nothing(pot: Pot) -> None:
    assert await pot.paid({}) == (0, 0, Usage())


@pytest.mark.parametrize("seed", range(3))
async def test_workers_together_never_pass_the_budget_and_use_it_up(pot: Pot, url: str, seed: int) -> None:
    chance = random.Random(seed)
    costs = [[chance.choice([0.5, 1, 2]) for _ in range(200)] for _ in WORKERS]

    def work(worker: str, costs: list[float]) -> float:
        purse, budget = Purse(url, worker), Budget(100)
        budget.share(purse)
        try:
            for cost in costs:
                with budget.reserve("m", A_DOLLAR, Usage(2)) as reservation:
                    reservation.spent = cost
        except OutOfBudget:
            pass
        budget.rest()
        purse.close()
        return budget.spent

    with ThreadPoolExecutor() as pool:
        spent = list(pool.map(work, WORKERS, costs))
    # 600 requests of at least 0.5 want 300 and more. The last to be refused had 2 at most, and the others gave back.
    assert sum(spent) <= 100
    assert left(url) == pytest.approx(100 - sum(spent))
    assert left(url) < 2 * (1 + len(WORKERS))


async def test_one_without_work_keeps_no_money_from_others(pot: Pot, url: str, open_purse: OpenPurse) -> None:
    idle, busy = Budget(100), Budget(100)
    purses = [open_purse(worker) for worker in WORKERS[:2]]
    idle.share(purses[0])
    busy.share(purses[1])
    with idle.reserve("m", A_DOLLAR, Usage(60)) as reservation:
        idle.rest()  # something is in flight
        with pytest.raises(OutOfBudget, match="pass the budget that all workers share"):
            busy.reserve("m", A_DOLLAR, Usage(60)).__enter__()
        reservation.spent = 1
    idle.rest()
    with busy.reserve("m", A_DOLLAR, Usage(99)):
        pass


async def test_a_server_that_is_away_is_worth_another_try(pot: Pot, open_purse: OpenPurse, server: Server) -> None:
    budget, purse = Budget(100), open_purse(WORKERS[0])
    budget.share(purse)
    await asyncio.to_thread(server.stop)
    try:
        with pytest.raises(Unavailable, match="the Postgres of `ledger`"):
            budget.reserve("m", A_DOLLAR, Usage(1)).__enter__()
        budget.rest()
    finally:
        await asyncio.to_thread(server.start)
    with budget.reserve("m", A_DOLLAR, Usage(1)):
        pass


async def test_a_silent_server_is_waited_for_briefly(
    pot: Pot, open_purse: OpenPurse, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postgres_money, "_PATIENCE_SECONDS", 2)
    purse = open_purse(WORKERS[0])
    with silent(server), pytest.raises(StoreError, match="the Postgres of `ledger`"):
        purse.draw(1, 0)
    assert purse.draw(1, 0) >= 1
