"""A batch on one machine whose checkpoints are in a Postgres that goes away."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator

import pytest

from anomagent.models.fake import FakeModel
from anomagent.models.types import Completion, Request
from anomagent.store.postgres import Patience
from tests.batch.folder import Folder
from tests.postgres_server import Server, running_server

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


async def test_it_stops_in_good_order_and_is_resumed_when_the_server_is_back(
    folder: Folder, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    impatient = Patience.__init__
    monkeypatch.setattr(Patience, "__init__", lambda self, setting, seconds: impatient(self, setting, 0.2))
    folder.draw(*(f"images/{number}.png" for number in range(6)))
    answer, stopping = FakeModel.complete, asyncio.Lock()

    async def leave_first(model: FakeModel, request: Request) -> Completion:
        async with stopping:
            if len(model.requests) == 2:
                await asyncio.to_thread(server.stop)
        return await answer(model, request)

    monkeypatch.setattr(FakeModel, "complete", leave_first)
    try:
        async with asyncio.timeout(100):
            stopped = await folder.run(checkpoints=server.url, concurrency=2)
    finally:
        await asyncio.to_thread(server.start)
    assert (stopped.exit_code, stopped.failed, stopped.fault) == (3, 0, None)
    assert folder.said[0].startswith("the Postgres of `checkpoints`: cannot be reached any more")

    monkeypatch.setattr(FakeModel, "complete", answer)
    resumed = await folder.run(checkpoints=server.url, concurrency=2)
    assert (resumed.exit_code, resumed.already_done + resumed.ok) == (0, 6)
    assert len(folder.model.requests) == len(folder.ledger()) == 6
