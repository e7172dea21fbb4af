import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from anomagent.errors import StoreError
from anomagent.models.types import Ledger
from anomagent.store import SqliteLedger, Workspace, read_calls, writer
from tests.store.helpers import attempt, finish, shrink_disk, start

HOLD_A_CLAIM = """
import asyncio, sys
from anomagent.store import SqliteLedger, Workspace

async def hold():
    ledger = SqliteLedger(Workspace.open(sys.argv[1]))
    print(await ledger.claim("k"), flush=True)
    await asyncio.sleep(3600)

asyncio.run(hold())
"""

RECORD = """
import asyncio, sys
from anomagent.store import SqliteLedger, Workspace
from tests.store.helpers import attempt

async def record():
    ledger = SqliteLedger(Workspace.open(sys.argv[1]))
    sys.stdin.readline()
    for n in range(50):
        await ledger.record(attempt(f"k{n}", text=sys.argv[2]))
    await ledger.aclose()

asyncio.run(record())
"""

RECORD_AND_HANG = """
import asyncio, sys
from anomagent.store import SqliteLedger, Workspace
from tests.store.helpers import attempt

async def record():
    ledger = SqliteLedger(Workspace.open(sys.argv[1]))
    await asyncio.gather(*(ledger.record(attempt(f"k{n}")) for n in range(20)))
    print("recorded", flush=True)
    await asyncio.sleep(3600)

asyncio.run(record())
"""


@pytest_asyncio.fixture
async def ledger(workspace: Workspace) -> AsyncIterator[SqliteLedger]:
    ledger = SqliteLedger(workspace)
    yield ledger
    await ledger.aclose()


def _rows(workspace: Workspace, query: str) -> list[Any]:
    with workspace.reading() as connection:
        return connection.execute(query).fetchall()


async def test_it_is_a_ledger(ledger: SqliteLedger) -> None:
    seam: Ledger = ledger

    assert await seam.good("k") is None


async def test_a_good_answer_is_replayed_as_it_was(ledger: SqliteLedger) -> None:
    await ledger.record(attempt(text="straße 🪑", usd=None, object=None))

    assert await ledger.good("k") == attempt(text="straße 🪑", usd=None, object=None)
    assert await ledger.good("other") is None


async def test_a_bad_answer_is_kept_and_never_replayed(ledger: SqliteLedger, workspace: Workspace) -> None:
    await ledger.record(attempt(status="bad", text="nonsense"))
    await ledger.record(attempt(status="bad", text="nonsense again"))
    assert await ledger.good("k") is None

    await ledger.record(attempt())

    assert await ledger.good("k") == attempt()
    assert [call["text"] for call in read_calls(workspace, ["k"])] == ["nonsense", "nonsense again", attempt()["text"]]


async def test_answers_survive_a_new_ledger(workspace: Workspace) -> None:
    first = SqliteLedger(workspace)
    await first.record(attempt())
    await first.aclose()

    second = SqliteLedger(workspace)
    assert await second.good("k") == attempt()
    await second.aclose()


async def test_a_key_is_asked_by_one_at_a_time(ledger: SqliteLedger) -> None:
    assert await asyncio.gather(*(ledger.claim("k") for _ in range(20))) == [True] + [False] * 19

    await ledger.release("k")

    assert await ledger.claim("k")


async def test_an_answered_key_cannot_be_claimed(ledger: SqliteLedger) -> None:
    assert await ledger.claim("k")
    await ledger.record(attempt(status="bad"))
    assert not await ledger.claim("k"), "a bad answer does not end the claim: the repair turn comes next"

    await ledger.record(attempt())
    await ledger.release("k")

    assert not await ledger.claim("k")
    assert await ledger.good("k") is not None


async def test_a_cancelled_claim_is_given_up(ledger: SqliteLedger, workspace: Workspace) -> None:
    for _ in range(20):
        task = asyncio.create_task(ledger.claim("k"))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    assert await ledger.claim("k")


async def test_cancelling_one_who_waits_does_not_take_the_claim_from_the_holder(ledger: SqliteLedger) -> None:
    assert await ledger.claim("k")
    task = asyncio.create_task(ledger.claim("k"))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert not await ledger.claim("k")


async def test_a_record_is_written_though_its_caller_is_cancelled(ledger: SqliteLedger) -> None:
    task = asyncio.create_task(ledger.record(attempt()))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task

    assert await ledger.good("k") == attempt()


async def test_a_claim_from_another_machine_whose_lease_ran_out_is_free(
    workspace: Workspace, ledger: SqliteLedger
) -> None:
    assert await ledger.claim("k")
    assert await ledger.claim("l")
    with workspace.writing() as connection:
        connection.execute("UPDATE call_claims SET host = 'elsewhere'")
        connection.execute("UPDATE call_claims SET expires = ? WHERE key = 'k'", (time.time() - 1,))
    other = SqliteLedger(workspace)

    assert await other.claim("k")
    assert not await other.claim("l")

    await ledger.release("k")
    assert not await ledger.claim("k"), "the first holder cannot give up what it has lost"
    await other.aclose()


async def test_claims_are_renewed_while_their_holder_lives(workspace: Workspace) -> None:
    ledger = SqliteLedger(workspace, lease_seconds=0.3)
    assert await ledger.claim("k")
    (before,) = _rows(workspace, "SELECT expires FROM call_claims")

    renewed = before
    async with asyncio.timeout(30):
        while renewed == before:
            await asyncio.sleep(0.02)
            (renewed,) = _rows(workspace, "SELECT expires FROM call_claims")

    assert renewed > before
    await ledger.aclose()


async def test_the_claims_of_a_killed_process_are_free_at_once(workspace: Workspace, ledger: SqliteLedger) -> None:
    process = start(HOLD_A_CLAIM, workspace.path)
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "True"
    assert not await ledger.claim("k")

    process.kill()
    process.communicate()

    assert await ledger.claim("k")


async def test_what_was_recorded_survives_kill_9(workspace: Workspace, ledger: SqliteLedger) -> None:
    process = start(RECORD_AND_HANG, workspace.path)
    assert process.stdout is not None
    assert (await asyncio.to_thread(process.stdout.readline)).strip() == "recorded"

    process.kill()
    process.communicate()

    assert all([await ledger.good(f"k{n}") == attempt(f"k{n}") for n in range(20)])


def test_two_processes_leave_one_good_answer_and_one_spare(workspace: Workspace) -> None:
    processes = [start(RECORD, workspace.path, text) for text in ("one", "two")]
    for process in processes:
        finish(process, "go\n")

    counts = _rows(workspace, "SELECT key, sum(status = 'good'), sum(status = 'spare') FROM calls GROUP BY key")
    assert [count[1:] for count in counts] == [(1, 1)] * 50


async def test_half_a_surrogate_pair_is_no_reason_to_lose_an_answer(ledger: SqliteLedger) -> None:
    await ledger.record(attempt(text="a \ud83d b"))

    good = await ledger.good("k")
    assert good is not None
    assert good["text"] == "a ? b"


async def test_one_failing_write_does_not_spoil_the_others(ledger: SqliteLedger) -> None:
    broken = attempt("broken", text=None)
    waiting = [ledger.record(a) for a in (attempt("a"), broken, attempt("b"))]

    outcomes = await asyncio.gather(*waiting, return_exceptions=True)

    assert [type(outcome).__name__ for outcome in outcomes] == ["NoneType", "IntegrityError", "NoneType"]
    assert await ledger.good("a")
    assert await ledger.good("b")


async def test_a_full_disk_is_said_and_what_was_written_stays(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    shrink_disk(monkeypatch, writer, spare_pages=20)
    ledger = SqliteLedger(workspace)
    await ledger.record(attempt("small"))

    with pytest.raises(StoreError, match="disk full; free space and run again: finished calls are kept"):
        await ledger.record(attempt("large", text="x" * 1_000_000))

    await ledger.record(attempt("small again"))
    assert await ledger.good("small")
    assert await ledger.good("small again")
    assert await ledger.good("large") is None
    await ledger.aclose()


async def test_a_closed_ledger_refuses_work_and_leaves_no_lock(workspace: Workspace) -> None:
    ledger = SqliteLedger(workspace)
    await ledger.claim("k")
    await ledger.aclose()
    ledger.close()

    with pytest.raises(StoreError, match="closed"):
        await ledger.good("k")
    assert list(workspace.locks.iterdir()) == []
    other = SqliteLedger(workspace)
    assert await other.claim("k")
    await other.aclose()


async def test_a_clock_that_jumps_ends_no_claim_of_a_living_process(
    workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = SqliteLedger(workspace)
    assert await first.claim("k")
    later = time.time() + 2 * 86_400
    monkeypatch.setattr("anomagent.store.ledger.time.time", lambda: later)
    second = SqliteLedger(workspace)
    try:
        assert not await second.claim("k")
    finally:
        await first.aclose()
    assert await second.claim("k")
    await second.aclose()
