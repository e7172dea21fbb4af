"""What is written to disk while an analysis runs, and how one goes on after it was interrupted."""

from __future__ import annotations

import asyncio
import base64
import random
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.base import BaseCheckpointSaver

from anomagent.errors import ConfigurationError
from anomagent.graph.build import build_graph
from anomagent.graph.checkpoints import open_checkpointer
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef
from tests.asking import IMAGE, Question, ScriptedAsk
from tests.graph.world import analyze, names_of, world_of

Saver = BaseCheckpointSaver[str]


@pytest.fixture
async def saver(tmp_path: Path) -> AsyncIterator[Saver]:
    async with open_checkpointer(tmp_path / "checkpoints.db", None) as saver:
        yield saver


class TestNoImageBytes:
    picture = random.Random(7).randbytes(60_000)
    encoded = base64.b64encode(picture).decode()

    def traces(self, folder: Path) -> list[str]:
        """Files below `folder` that hold any part of the picture, raw or encoded."""
        pieces = [self.picture[at : at + 24] for at in range(0, len(self.picture) - 24, 600)]
        pieces += [self.encoded[at : at + 32].encode() for at in range(0, len(self.encoded) - 32, 800)]
        files = {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
        return [name for name, data in files.items() if b"base64," in data or any(piece in data for piece in pieces)]

    def message(self) -> dict[str, Any]:
        """The user's message with the picture, as Studio sends it."""
        url = f"data:image/png;base64,{self.encoded}"
        return {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}]}

    async def ingest(self, image: Path | bytes) -> ImageRef:
        assert image == self.picture
        return IMAGE

    def test_the_search_finds_a_picture(self, tmp_path: Path) -> None:
        (tmp_path / "raw").write_bytes(b"x" * 99 + self.picture)
        (tmp_path / "encoded").write_bytes(self.encoded[5_000:9_000].encode())
        (tmp_path / "clean").write_bytes(b"nothing")
        assert sorted(self.traces(tmp_path)) == ["encoded", "raw"]

    @pytest.mark.parametrize("schedule", ["paper", "lean", "direct"])
    @pytest.mark.parametrize("durability", ["async", "sync", "exit"])
    async def test_none_reach_the_checkpoints(
        self, saver: Saver, tmp_path: Path, schedule: str, durability: Any
    ) -> None:
        graph = build_graph(world_of(names_of(2)), self.ingest, saver)
        state = await graph.ainvoke(
            self.message(),
            {"configurable": {"thread_id": "studio"}},
            context=AnalysisContext.model_validate({"schedule": schedule}),
            durability=durability,
        )
        assert state["image"] == IMAGE
        assert len(state["anomalies"]) == 2
        assert self.traces(tmp_path) == []
        assert (tmp_path / "checkpoints.db").stat().st_size > 0

    async def test_none_reach_them_when_the_image_is_refused_or_the_run_breaks(
        self, saver: Saver, tmp_path: Path
    ) -> None:
        async def refuse(image: Path | bytes) -> ImageRef:
            raise ConfigurationError("no")

        broken = world_of(names_of(2)).on("ObjectPerceiver.merge", ValueError("a bug"))
        for thread, ask, ingest in (("refused", ScriptedAsk(), refuse), ("broken", broken, self.ingest)):
            with pytest.raises((ConfigurationError, ValueError)):
                await build_graph(ask, ingest, saver).ainvoke(
                    self.message(),
                    {"configurable": {"thread_id": thread}},
                    context=AnalysisContext(),
                    durability="async",
                )
        assert self.traces(tmp_path) == []

    async def test_message_objects_work_like_plain_ones(self, saver: Saver, tmp_path: Path) -> None:
        content = self.message()["messages"][0]["content"]
        state = await build_graph(world_of([]), self.ingest, saver).ainvoke(
            {"messages": [HumanMessage(content)]},
            {"configurable": {"thread_id": "python"}},
            context=AnalysisContext(),
            durability="async",
        )
        assert state["image"] == IMAGE
        assert self.traces(tmp_path) == []


class TestResume:
    async def interrupted(self, saver: Saver, step: str, name: str | None, blocked: str | None = None) -> ScriptedAsk:
        """Run until everything but `name` (and `blocked`, which never answers) is done, then break at `step`."""
        ask = world_of(names_of(3))
        done = asyncio.Event()
        missing = 11 + 5 * 3

        async def pause(question: Question) -> None:
            if question.object is not None and question.object == blocked and question.step == "RelationReasoner.judge":
                await asyncio.Event().wait()
            if question.step == step and question.object == name:
                await done.wait()

        def broken(question: Question) -> Exception:
            return ValueError("the power failed")

        ask.pause = pause
        ask.on(step, broken, object=name)
        waiting = asyncio.create_task(analyze(ask, AnalysisContext(), checkpointer=saver))
        before = -1
        while len(ask.answered) != before and not waiting.done():  # until nobody answers any more
            before = len(ask.answered)
            for _ in range(50):
                await asyncio.sleep(0.002)
        assert len(ask.answered) < missing
        done.set()
        with pytest.raises(ValueError, match="the power failed"):
            await waiting
        return ask

    @pytest.mark.parametrize(
        ("step", "name"),
        [
            ("ObjectPerceiver.merge", None),
            ("AttributeAnalyzer.examine", "chair"),
            ("RelationReasoner.verify", "chair"),
            ("AnomalyIntegrator.consolidate", "lamp"),
            ("AnomalyFormatter.format", None),
        ],
    )
    async def test_no_node_that_finished_is_repeated(self, saver: Saver, step: str, name: str | None) -> None:
        before = await self.interrupted(saver, step, name)
        after = world_of(names_of(3))
        state = await analyze(after, AnalysisContext(), checkpointer=saver, start=None)

        repeated = set(map(str, after.asked)) & set(map(str, before.answered))
        assert repeated == set()
        assert len(before.answered) + len(after.asked) == 11 + 5 * 3
        assert state == await analyze(world_of(names_of(3)), AnalysisContext())

    async def test_a_call_in_flight_is_all_that_another_objects_chain_loses(self, saver: Saver) -> None:
        before = await self.interrupted(saver, "RelationReasoner.verify", "chair", blocked="cup")
        after = world_of(names_of(3))
        await analyze(after, AnalysisContext(), checkpointer=saver, start=None)
        assert set(map(str, after.asked)) & set(map(str, before.answered)) == set()
        assert "RelationReasoner.judge/cup/0" in map(str, after.asked)

    async def test_an_interrupted_thread_is_known_by_its_next_nodes(self, saver: Saver) -> None:
        await self.interrupted(saver, "AnomalyFormatter.format", None)
        graph = build_graph(world_of([]), TestNoImageBytes().ingest, saver)
        config: Any = {"configurable": {"thread_id": "thread"}}
        assert (await graph.aget_state(config)).next == ("AnomalyFormatter",)
        await analyze(world_of(names_of(3)), AnalysisContext(), checkpointer=saver, start=None)
        assert (await graph.aget_state(config)).next == ()


async def test_postgres_needs_a_server_that_answers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"pip install 'anomagent\[postgres\]'"):
        async with open_checkpointer(tmp_path / "checkpoints.db", "postgresql://localhost/none"):
            pass
