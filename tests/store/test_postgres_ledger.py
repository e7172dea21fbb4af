"""The ledger's laws in a real Postgres, and what is special about one that machines share."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from typing import Any

import psycopg
import pytest
import pytest_asyncio

from anomagent.errors import ConfigurationError, StoreError
from anomagent.store import Workspace, read_calls
from anomagent.store.call_rows import copy_calls
from anomagent.store.ledgers import OpenLedger, open_ledger
from anomagent.store.postgres_ledger import PostgresLedger
from tests.postgres_server import Server, running_server
from tests.store.helpers import attempt, finish, start
from tests.store.silence import silent

pytestmark = pytest.mark.slow

HOLD_A_CLAIM = """
import asyncio, sys
from anomagent.store.postgres_ledger import PostgresLedger

async def hold():
    ledger = await PostgresLedger.open(sys.argv[1])
    print(await ledger.claim("k"), flush=True)
    await asyncio.sleep(3600)

asyncio.run(hold())
"""

RECORD = """
import asyncio, sys
from anomagent.store.postgres_ledger import PostgresLedger
from tests.store.helpers import attempt

async def record():
    ledger = await PostgresLedger.open(sys.argv[1])
    sys.stdin.readline()
    for n in range(50):
        await ledger.record(attempt(f"k{n}", text=sys.argv[2]))
    await ledger.aclose()

asyncio.run(record())
"""

RECORD_AND_HANG = """
import asyncio, sys
from anomagent.store.postgres_ledger import PostgresLedger
from tests.store.helpers import attempt

async def record():
    ledger = await PostgresLedger.open(sys.argv[1])
    await asyncio.gather(*(ledger.record(attempt(f"k{n}")) for n in range(20)))
    print("recorded", flush=True)
    await asyncio.sleep(3600)

asyncio.run(record())
"""


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def url(server: Server) -> str:
    """An empty database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP TABLE IF EXISTS anomagent_calls, anomagent_claims")
    return server.url


@pytest_asyncio.fixture
async def ledger(url: str) -> AsyncIterator[PostgresLedger]:
    ledger = await PostgresLedger.open(url)
    yield ledger
    await ledger.aclose()


def _rows(url: str, query: str) -> list[Any]:
    with psycopg.connect(url, autocommit=True) as connection:
        cursor = connection.execute(query)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else []


async def test_it_is_the_ledger_of_its_url(url: str, workspace: Workspace) -> None:
    ledger: OpenLedger = await open_ledger(workspace, url)
    assert await ledger.good("k") is None
    await ledger.claim("k")
    await ledger.record(attempt())
    await ledger.release("k")
    await ledger.aclose()

    assert _rows(url, "SELECT key, status FROM anomagent_calls") == [("k", "good")]
    assert _rows(url, "SELECT * FROM anomagent_claims") == []


async def test_what_the_workspace_has_is_not_paid_again_when_the_setting_changes(
    url: str, workspace: Workspace
) -> None:
    own = await open_ledger(workspace, None)
    await own.record(attempt("before"))
    await own.aclose()

    shared = await open_ledger(workspace, url)
    assert await shared.good("before") == attempt("before")
    assert _rows(url, "SELECT * FROM anomagent_calls") == []
    await shared.claim("during")
    await shared.record(attempt("during", status="bad", text="nonsense"))
    await shared.record(attempt("during"))
    await shared.release("during")
    await shared.aclose()

    own = await open_ledger(workspace, None)
    assert await own.good("during") == attempt("during")
    await own.aclose()
    assert [call["status"] for call in read_calls(workspace, ["during"])] == ["bad", "good"]


async def test_the_answer_of_another_is_copied_when_it_is_used(url: str, workspace: Workspace) -> None:
    other = await PostgresLedger.open(url)
    await other.record(attempt("theirs"))
    await other.aclose()

    shared = await open_ledger(workspace, url)
    for _ in range(2):
        assert await shared.good("theirs") == attempt("theirs")
    await shared.aclose()
    assert read_calls(workspace, ["theirs"]) == [attempt("theirs")]


async def test_a_good_answer_is_replayed_as_it_was(ledger: PostgresLedger) -> None:
    await ledger.record(attempt(text="straße 🪑", usd=None, object=None))

    assert await ledger.good("k") == attempt(text="straße 🪑", usd=None, object=None)
    assert await ledger.good("other") is None


async def test_a_bad_answer_is_kept_and_never_replayed(ledger: PostgresLedger) -> None:
    await ledger.record(attempt(status="bad", text="nonsense"))
    await ledger.record(attempt(status="bad", text="nonsense"))
    assert await ledger.good("k") is None

    await ledger.record(attempt())

    assert await ledger.good("k") == attempt()
    assert [call["text"] for call in await ledger.calls(["k"])] == ["nonsense", "nonsense", attempt()["text"]]


async def test_answers_survive_a_new_ledger(url: str) -> None:
    first = await PostgresLedger.open(url)
    await first.record(attempt())
    await first.aclose()

    second = await PostgresLedger.open(url)
    assert await second.good("k") == attempt()
    await second.aclose()


async def test_a_key_is_asked_by_one_at_a_time(ledger: PostgresLedger, url: str) -> None:
    assert await asyncio.gather(*(ledger.claim("k") for _ in range(20))) == [True] + [False] * 19
    others = [await PostgresLedger.open(url) for _ in range(3)]
    assert await asyncio.gather(*(other.claim("k") for other in others)) == [False] * 3

    await ledger.release("k")

    assert sorted(await asyncio.gather(*(other.claim("k") for other in others))) == [False, False, True]
    for other in others:
        await other.aclose()


async def test_an_answered_key_cannot_be_claimed(ledger: PostgresLedger) -> None:
    assert await ledger.claim("k")
    await ledger.record(attempt(status="bad"))
    assert not await ledger.claim("k"), "a bad answer does not end the claim: the repair turn comes next"

    await ledger.record(attempt())
    await ledger.release("k")

    assert not await ledger.claim("k")
    assert await ledger.good("k") is not None


async def test_a_cancelled_claim_is_given_up(ledger: PostgresLedger) -> None:
    for _ in range(20):
        task = asyncio.create_task(ledger.claim("k"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await ledger.claim("k")


async def test_cancelling_one_who_waits_does_not_take_the_claim_from_the_holder(ledger: PostgresLedger) -> None:
    assert await ledger.claim("k")
    task = asyncio.create_task(ledger.claim("k"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not await ledger.claim("k")


async def test_a_record_is_written_though_its_caller_is_cancelled(ledger: PostgresLedger, url: str) -> None:
    task = asyncio.create_task(ledger.record(attempt()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await ledger.aclose()

    assert _rows(url, "SELECT key, status FROM anomagent_calls") == [("k", "good")]


async def test_a_claim_whose_lease_ran_out_is_free(url: str, ledger: PostgresLedger) -> None:
    assert await ledger.claim("k")
    assert await ledger.claim("l")
    _rows(url, "UPDATE anomagent_claims SET expires = now() WHERE key = 'k'")
    other = await PostgresLedger.open(url)

    assert await other.claim("k")
    assert not await other.claim("l")

    await ledger.release("k")
    assert not await ledger.claim("k"), "the first holder cannot give up what it has lost"
    await other.aclose()


async def test_claims_are_renewed_while_their_holder_lives(url: str) -> None:
    ledger = await PostgresLedger.open(url, lease_seconds=0.3)
    assert await ledger.claim("k")
    (before,) = _rows(url, "SELECT expires FROM anomagent_claims")

    renewed = before
    async with asyncio.timeout(30):
        while renewed == before:
            await asyncio.sleep(0.02)
            (renewed,) = _rows(url, "SELECT expires FROM anomagent_claims")

    assert renewed > before
    await ledger.aclose()


async def test_the_claims_of_a_killed_process_are_free_long_before_their_lease_ends(
    url: str, ledger: PostgresLedger
) -> None:
    process = start(HOLD_A_CLAIM, url)
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "True"
    assert not await ledger.claim("k")
    left = "SELECT extract(epoch FROM expires - now()) FROM anomagent_claims"
    assert _rows(url, left)[0][0] > 30, "the owner lives: nobody doubts the claim"

    process.kill()
    process.communicate()

    async with asyncio.timeout(30):  # half of the lease
        while not await ledger.claim("k"):
            await asyncio.sleep(0.05)


async def test_a_process_that_sleeps_keeps_its_claims(url: str, ledger: PostgresLedger) -> None:
    process = start(HOLD_A_CLAIM, url)
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "True"
    os.kill(process.pid, signal.SIGSTOP)
    try:
        assert not await ledger.claim("k")
        assert _rows(url, "SELECT expires - now() > interval '30 s' FROM anomagent_claims") == [(True,)]
    finally:
        process.kill()
        process.communicate()


async def test_what_was_recorded_survives_kill_9(url: str, ledger: PostgresLedger) -> None:
    process = start(RECORD_AND_HANG, url)
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "recorded"

    process.kill()
    process.communicate()

    assert all([await ledger.good(f"k{n}") == attempt(f"k{n}") for n in range(20)])


def test_two_processes_leave_one_good_answer_and_one_spare(url: str) -> None:
    processes = [start(RECORD, url, text) for text in ("one", "two")]
    for process in processes:
        finish(process, "go\n")

    query = """SELECT key, count(*) FILTER (WHERE status = 'good'), count(*) FILTER (WHERE status = 'spare')
               FROM anomagent_calls GROUP BY key"""
    assert [row[1:] for row in _rows(url, query)] == [(1, 1)] * 50


async def test_what_postgres_cannot_write_is_no_reason_to_lose_an_answer(ledger: PostgresLedger) -> None:
    await ledger.record(attempt(text="a \ud83d b \0 c"))

    good = await ledger.good("k")
    assert good is not None
    assert good["text"] == "a ? b ? c"


async def test_one_failing_write_does_not_spoil_the_others(ledger: PostgresLedger) -> None:
    broken = attempt("broken", text=None)
    waiting = [ledger.record(a) for a in (attempt("a"), broken, attempt("b"))]

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "NotNullViolation", "NoneType"]
    assert await ledger.good("a")
    assert await ledger.good("b")


async def test_a_closed_ledger_refuses_work_and_leaves_no_claim(url: str) -> None:
    ledger = await PostgresLedger.open(url)
    await ledger.claim("k")
    await ledger.aclose()
    await ledger.aclose()

    with pytest.raises(StoreError, match="closed"):
        await ledger.good("k")
    assert _rows(url, "SELECT * FROM anomagent_claims") == []


async def test_many_open_it_for_the_first_time_at_once(url: str) -> None:
    ledgers = await asyncio.gather(*(PostgresLedger.open(url) for _ in range(8)))
    for ledger in ledgers:
        await ledger.aclose()


async def test_a_server_that_starts_anew_costs_neither_answers_nor_claims(server: Server, url: str) -> None:
    ledger, other = await PostgresLedger.open(url), await PostgresLedger.open(url)
    assert await ledger.claim("k")
    await asyncio.to_thread(server.stop)
    recording = asyncio.create_task(ledger.record(attempt("paid")))
    await asyncio.sleep(0)
    await asyncio.to_thread(server.start)

    await recording
    async with asyncio.timeout(30):  # until the owner has its lock again
        while _rows(url, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'") != [(2,)]:
            await asyncio.sleep(0.05)

    assert await other.good("paid") == attempt("paid")
    assert not await other.claim("k")
    assert _rows(url, "SELECT expires - now() > interval '30 s' FROM anomagent_claims") == [(True,)]
    await ledger.aclose()
    await other.aclose()


async def test_a_confirmation_that_got_lost_changes_nothing(
    ledger: PostgresLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    once, heard = ledger._once, Counter[str]()

    async def lose_the_first(query: Any, values: Any) -> Any:
        rows = await once(query, values)
        heard[repr(query)] += 1
        if heard[repr(query)] == 1:
            raise psycopg.OperationalError("connection lost")
        return rows

    monkeypatch.setattr(ledger, "_once", lose_the_first)

    assert await ledger.claim("k")
    await ledger.record(attempt())
    assert [call["status"] for call in await ledger.calls(["k"])] == ["good"]
    assert min(heard.values()) == 2


async def test_a_server_that_stays_away_is_said_without_the_url(server: Server, url: str) -> None:
    secret = url.replace("tester@", "tester:sesame99@")
    ledger = await PostgresLedger.open(secret, patience=0.2)
    await asyncio.to_thread(server.stop)
    try:
        with pytest.raises(StoreError, match="run again when it is back") as caught:
            await ledger.record(attempt())
    finally:
        await asyncio.to_thread(server.start)
    assert "sesame99" not in f"{caught.value!r} {caught.value.__cause__!r}"
    await ledger.aclose()


async def test_a_server_that_says_nothing_is_given_up_in_bounded_time(
    server: Server, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomagent.store.postgres.ANSWER_SECONDS", 0.3)
    monkeypatch.setattr("anomagent.store.postgres_pulse._GOODBYE_SECONDS", 0.3)
    ledger = await PostgresLedger.open(url, patience=0.1)
    with silent(server):
        async with asyncio.timeout(60):
            with pytest.raises(StoreError, match="run again when it is back"):
                await ledger.record(attempt())
            cancelled = asyncio.create_task(ledger.claim("k"))
            await asyncio.sleep(0)
            cancelled.cancel()
            await ledger.aclose()
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_only_held_claims_are_renewed(url: str) -> None:
    ledger = await PostgresLedger.open(url, lease_seconds=0.3)
    assert await ledger.claim("held")
    assert await ledger.claim("lost")
    ledger._held.discard("lost")  # as where the server never heard that it was given up
    async with asyncio.timeout(30):
        while not _rows(
            url, "SELECT key FROM anomagent_claims WHERE key = 'lost' AND expires < now() - interval '0.5 s'"
        ):
            await asyncio.sleep(0.05)
    assert _rows(url, "SELECT key FROM anomagent_claims WHERE expires > now() - interval '0.3 s'") == [("held",)]
    await ledger.aclose()


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ("postgresql://tester:sesame99@127.0.0.1:1/postgres", "cannot connect to the Postgres of `ledger`"),
        ("mysql://tester:sesame99@127.0.0.1/x", "`ledger` is no URL of a Postgres"),
        ("postgresql://tester:sesame99@[/x", "`ledger` is no URL of a Postgres"),
    ],
    ids=["away", "other scheme", "no URL"],
)
async def test_a_server_that_cannot_be_used_is_said_in_one_line_without_the_password(
    wrong: str, message: str, workspace: Workspace, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomagent.store.postgres.CONNECT_SECONDS", 1.0)

    with pytest.raises(ConfigurationError, match=message) as caught:
        await open_ledger(workspace, wrong)

    assert "sesame99" not in str(caught.value)
    assert "\n" not in str(caught.value)
    assert "sesame99" not in caplog.text


async def test_a_database_that_cannot_hold_every_text_is_refused(url: str) -> None:
    _rows(url, "DROP DATABASE IF EXISTS latin")
    _rows(url, "CREATE DATABASE latin TEMPLATE template0 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'")

    with pytest.raises(ConfigurationError, match="encoding LATIN1"):
        await PostgresLedger.open(url.replace("/postgres", "/latin"))


async def test_calls_are_copied_into_a_workspace_once(ledger: PostgresLedger, workspace: Workspace) -> None:
    await ledger.record(attempt(status="bad", text="nonsense"))
    for key in ("k", "l", "m"):
        await ledger.record(attempt(key, usd=None))
    await ledger.record(attempt("k", text="paid twice"))

    for _ in range(2):
        copy_calls(workspace, await ledger.calls(["k", "l"]))

    copied = [(call["key"], call["status"], call["text"]) for call in read_calls(workspace, ["k", "l", "m"])]
    good = attempt()["text"]
    assert copied == [("k", "bad", "nonsense"), ("k", "good", good), ("k", "spare", "paid twice"), ("l", "good", good)]
    assert read_calls(workspace, ["l"]) == [attempt("l", usd=None)]
