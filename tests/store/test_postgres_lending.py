"""Calls that only a workspace knows, brought to a real Postgres where other machines look."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import psycopg
import pytest
import pytest_asyncio
from PIL import Image

from anomagent.store import Workspace, ingest_image, ledgers, save_analysis, start_run
from anomagent.store.call_rows import copy_calls
from anomagent.store.ledgers import lend_calls
from anomagent.store.postgres_ledger import PostgresLedger
from tests.postgres_server import running_server
from tests.store.helpers import attempt, result

pytestmark = pytest.mark.slow

MOMENT = "2026-01-02T03:04:05.678Z"


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with running_server() as server:
        yield server.url


@pytest_asyncio.fixture
async def ledger(server_url: str) -> AsyncIterator[PostgresLedger]:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    ledger = await PostgresLedger.open(server_url)
    yield ledger
    await ledger.aclose()


def fill(workspace: Workspace, count: int) -> list[str]:
    """Keys of good calls about an image that was never analysed; behind each comes a bad one."""
    keys = [f"k{number}" for number in range(count)]
    rows = [attempt(key, status) for key in keys for status in ("good", "bad")]
    copy_calls(workspace, [{**row, "created": MOMENT} for row in rows])
    return keys


async def test_good_calls_arrive_as_they_were(ledger: PostgresLedger, workspace: Workspace) -> None:
    (key,) = fill(workspace, 1)
    await lend_calls(workspace, ledger, ["c"], lambda seen, copied: True)

    assert await ledger.good(key) == attempt(key)
    assert [(call["status"], call["created"]) for call in await ledger.calls([key])] == [("good", MOMENT)]
    assert not await ledger.claim(key)


async def test_what_is_there_is_not_copied_again(
    ledger: PostgresLedger, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ledgers, "_AT_ONCE", 2)
    keys = fill(workspace, 7)
    await ledger.record(attempt(keys[2], text="theirs"))
    told: list[tuple[int, int]] = []

    def go_on(seen: int, copied: int) -> bool:
        told.append((seen, copied))
        return seen < 4

    await lend_calls(workspace, ledger, ["c"], go_on)
    assert told == [(0, 0), (2, 2), (4, 3)], "broken off"

    told.clear()
    await lend_calls(workspace, ledger, ["c"], lambda seen, copied: not told.append((seen, copied)))
    assert told == [(0, 0), (2, 0), (4, 0), (6, 2), (7, 3)]
    theirs = await ledger.good(keys[2])
    assert theirs is not None
    assert theirs["text"] == "theirs"


@pytest.mark.parametrize(("status", "configuration", "lent"), [("ok", "c", 0), ("ok", "d", 1), ("partial", "c", 1)])
async def test_only_finished_images_of_the_configuration_are_left_out(
    ledger: PostgresLedger, workspace: Workspace, tmp_path: Path, status: str, configuration: str, lent: int
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "a.png")
    sha256 = ingest_image(workspace, tmp_path / "a.png")["sha256"]
    run = start_run(workspace, "batch", {}, configuration)
    thread = f"{sha256[:24]}-{configuration}"
    save_analysis(workspace, run, result(sha256, thread_id=thread, status=status))
    copy_calls(workspace, [{**attempt("k", image_sha256=sha256), "created": MOMENT}])

    await lend_calls(workspace, ledger, ["c", "e"], lambda seen, copied: True)
    assert len(await ledger.calls(["k"])) == lent
