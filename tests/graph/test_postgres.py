"""Checkpoints in a real Postgres, which is there, away, silent, or refuses."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from anomagent.errors import ConfigurationError, StoreError
from anomagent.graph.checkpoints import open_checkpointer
from anomagent.graph.postgres_saver import open_saver
from anomagent.state.context import AnalysisContext
from tests.asking import Question
from tests.graph.world import analyze, names_of, world_of
from tests.postgres_server import Server, running_server
from tests.store.silence import silent

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with running_server() as server:
        yield server


@pytest.fixture
def postgres(server: Server) -> str:
    """The URL of an empty database."""
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute("DROP SCHEMA public CASCADE")
        connection.execute("CREATE SCHEMA public")
    return server.url


async def test_an_interrupted_thread_resumes_without_asking_again(postgres: str, tmp_path: Path) -> None:
    context = AnalysisContext()
    ask = world_of(names_of(2)).on("AnomalyFormatter.format", KeyError("pulled the plug"))
    async with open_checkpointer(tmp_path / "unused.db", postgres) as saver:
        with pytest.raises(KeyError):
            await analyze(ask, context, checkpointer=saver)
    finished = len(ask.answered)

    again = world_of(names_of(2))
    async with open_checkpointer(tmp_path / "unused.db", postgres) as saver:
        state = await analyze(again, context, checkpointer=saver, start=None)
    assert [anomaly["name"] for anomaly in state["anomalies"]] == ["floating cup", "floating chair"]
    assert again.steps() == ["AnomalyFormatter.format"]
    assert len(state["calls"]) == finished + 1
    assert not (tmp_path / "unused.db").exists()


async def test_a_server_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot connect to the Postgres"):
        async with open_checkpointer(tmp_path / "unused.db", "postgresql://tester@127.0.0.1:1/postgres"):
            pass


async def test_a_server_that_starts_anew_in_the_middle_costs_nothing(server: Server, postgres: str) -> None:
    ask = world_of(names_of(2))

    async def restart(question: Question) -> None:
        if question.step == "AnomalyFormatter.format":
            await asyncio.to_thread(server.stop)
            await asyncio.to_thread(server.start)

    ask.pause = restart
    async with open_saver(postgres) as saver:
        state = await analyze(ask, AnalysisContext(), checkpointer=saver)
        assert len(state["anomalies"]) == 2
        kept = await saver.aget_tuple({"configurable": {"thread_id": "t"}})
    assert kept is None or not kept.pending_writes


async def test_a_server_that_stays_away_ends_the_analysis_as_a_store_that_fails(server: Server, postgres: str) -> None:
    ask = world_of(names_of(2))

    async def leave(question: Question) -> None:
        if question.step == "AnomalyFormatter.format":
            await asyncio.to_thread(server.stop)

    ask.pause = leave
    try:
        async with open_saver(postgres, patience=0.2) as saver:
            async with asyncio.timeout(60):
                with pytest.raises(StoreError, match="the Postgres of `checkpoints`: cannot be reached any more"):
                    await analyze(ask, AnalysisContext(), checkpointer=saver)
    finally:
        await asyncio.to_thread(server.start)


async def test_a_silent_server_is_given_up(server: Server, postgres: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomagent.store.postgres.ANSWER_SECONDS", 0.3)
    async with open_saver(postgres, patience=0.1) as saver:
        with silent(server):
            async with asyncio.timeout(60):
                with pytest.raises(StoreError, match="cannot be reached any more"):
                    await saver.adelete_thread("t")
        await saver.adelete_thread("t")


async def test_a_user_who_may_make_no_tables_is_told_so_in_one_line(postgres: str, tmp_path: Path) -> None:
    with psycopg.connect(postgres, autocommit=True) as connection:
        connection.execute("DROP ROLE IF EXISTS reader")
        connection.execute("CREATE ROLE reader LOGIN")
    with pytest.raises(StoreError, match="`checkpoints`: its user may not make or write tables; grant it CREATE"):
        async with open_checkpointer(tmp_path / "unused.db", postgres.replace("tester@", "reader@")):
            pass
