"""Put images through the graph: lock, resume or start, keep the result, forget the history."""

import asyncio
import time
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from functools import partial
from inspect import isawaitable
from pathlib import Path
from typing import Any

from filelock import AsyncFileLock
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.graph.state import CompiledStateGraph
from langgraph.types import Command, StateSnapshot

from anomagent.config import Settings, load_settings
from anomagent.errors import UsageError
from anomagent.graph.build import build_graph
from anomagent.graph.checkpoints import open_checkpointer
from anomagent.graph.identity import checkpoint_thread, configuration_hash, thread_id
from anomagent.graph.session import Session, open_session
from anomagent.models.seam import Event
from anomagent.state.context import AnalysisContext, roles_of
from anomagent.state.findings import Analysis, Anomaly, Failure, ImageRef, Status, UsageTotals
from anomagent.store import AnalysisResult, Workspace, finish_run, save_analysis, start_run
from anomagent.store.database import store_errors

Admit = Callable[[Workspace, str, Mapping[str, Any], Mapping[str, str]], dict[str, Any]]
"""Looks at the workspace, the configuration's hash, the options and the models' identities before a run is begun.

Returns what else is stored with the run; raises to refuse it. Called in a thread of its own."""
Reviewer = Callable[[dict[str, Any]], Any]
"""Is given the report as `anomagent.nodes.human_review` asks; returns, or awaits, a `ReportReview` as plain data."""


@dataclass(frozen=True)
class Analyzer:
    """A workspace, a seam and a compiled graph, open for any number of images. Get one from `Analyzer.open`."""

    settings: Settings
    context: AnalysisContext
    session: Session
    run: str
    """Id of this run in the store."""
    configuration: str
    """Hash of everything that decides what is asked."""
    checkpointer: BaseCheckpointSaver[str]
    graph: CompiledStateGraph[Any, AnalysisContext, Any, Any]

    @classmethod
    @asynccontextmanager
    async def open(
        cls,
        settings: Settings,
        on_event: Callable[[Event], None] | None = None,
        command: str = "analyze",
        admit: Admit | None = None,
    ) -> AsyncGenerator["Analyzer"]:
        """Open everything that `settings` name; models that cannot be used are an error here, before any work.

        `admit`, where given, may refuse the configuration before a run is begun.
        """
        context = AnalysisContext(**settings.options)
        async with (
            open_session(settings, on_event) as session,
            open_checkpointer(session.workspace.checkpoints_path, settings.checkpoints) as checkpointer,
        ):
            models = await session.seam.prepare(context, roles_of(context.schedule))
            configuration = configuration_hash(context, models)
            config = context.model_dump()
            if admit:
                config |= await asyncio.to_thread(admit, session.workspace, configuration, context.model_dump(), models)
            run = await asyncio.to_thread(start_run, session.workspace, command, config, configuration)
            graph = build_graph(session.seam.ask, session.ingest, checkpointer)
            yield cls(settings, context, session, run, configuration, checkpointer, graph)
            await asyncio.to_thread(finish_run, session.workspace, run)

    async def analyze(self, path: str | Path, reviewer: Reviewer | None = None) -> Analysis:
        """Analyse one image. Failures of models are data in the result; bad images and broken workspaces raise.

        A `reviewer` is shown the report and judges it; the verdicts are stored with it. Raises `UsageError` where the
        reviewer's answer is none; the analysis then waits, and goes on from there when it is asked for again.
        """
        image = await self.session.ingest(Path(path))
        thread = thread_id(image, self.configuration)
        with store_errors(self.session.workspace.path):
            return await self._locked(str(path), image, thread, reviewer)

    async def record_fault(self, path: str | Path, error: Exception) -> None:
        """Keep in the store that a fault of ours ended the analysis of an image; its thread can still be resumed."""
        image = await self.session.ingest(Path(path))
        thread = thread_id(image, self.configuration)
        message = f"{type(error).__name__}: {error}"
        failure: Failure = {"role": "Analyzer", "object": None, "error": "internal", "message": message}
        result = self._result(str(path), image, thread, {"failures": [failure]}, 0.0)
        await asyncio.to_thread(save_analysis, self.session.workspace, self.run, result)

    async def _locked(self, name: str, image: ImageRef, thread: str, reviewer: Reviewer | None) -> Analysis:
        """Two runs of one image and configuration share a thread: the second waits, and then finds every answer."""
        async with AsyncFileLock(self.session.workspace.locks / f"{thread}.lock"):
            state, seconds = await self._finish_thread(image, thread, reviewer)
            result = self._result(name, image, thread, state, seconds)
            review = state.get("review")
            await asyncio.to_thread(save_analysis, self.session.workspace, self.run, result, review=review)
            if not self.settings.keep_history:
                await self.checkpointer.adelete_thread(self._checkpoints_of(thread))
        return _analysis(result)

    async def _finish_thread(
        self, image: ImageRef, thread: str, reviewer: Reviewer | None
    ) -> tuple[dict[str, Any], float]:
        """Resume the thread where a run was interrupted, else start it anew; the ledger has the answers either way.

        Returns the state and how many seconds it took, without those of the reviewer.
        """
        started = time.monotonic()
        kept_as = self._checkpoints_of(thread)
        config: RunnableConfig = {"configurable": {"thread_id": kept_as}, "recursion_limit": 100}
        resumes = _worth_resuming(await self.graph.aget_state(config, subgraphs=True))
        if not resumes:
            await self.checkpointer.adelete_thread(kept_as)
        context = self.context.model_copy(update={"review": reviewer is not None})
        go_on = partial(
            self.graph.ainvoke,  # pyright: ignore[reportUnknownMemberType]  # LangGraph leaves `Command` open
            config=config,
            context=context,
            durability="async",
        )
        state = await go_on(None if resumes else {"image": image})
        if reviewer and (waiting := state.get("__interrupt__")):
            asked = time.monotonic()
            given = reviewer(waiting[0].value)
            review = await given if isawaitable(given) else given
            started += time.monotonic() - asked
            state = await go_on(Command(resume=review))
            if waiting := state.get("__interrupt__"):
                raise UsageError(f"{image['path']}: the review is not kept: {waiting[0].value['problem']}")
        return state, time.monotonic() - started

    def _checkpoints_of(self, thread: str) -> str:
        return checkpoint_thread(thread, self.session.workspace.path if self.settings.checkpoints else None)

    def _result(self, name: str, image: ImageRef, thread: str, state: dict[str, Any], seconds: float) -> AnalysisResult:
        return {
            "image": name,
            "sha256": image["sha256"],
            "thread_id": thread,
            "status": status_of(state),
            "schedule": self.context.schedule,
            "models": {role: self.context.model_for(role) for role in roles_of(self.context.schedule)},
            "anomalies": state.get("anomalies", []),
            "objects": state.get("objects", []),
            "perceptions": state.get("perceptions", []),
            "reports": state.get("reports", []),
            "scans": state.get("scans", []),
            "pools": state.get("pools", []),
            "candidates": state.get("candidates", []),
            "failures": state.get("failures", []),
            "calls": state.get("calls", []),
            "seconds": seconds,
        }


async def analyze(
    path: str | Path, *, model: str | None = None, reviewer: Reviewer | None = None, **settings: Any
) -> Analysis:
    """Analyse one image: `await analyze("a.png", model="openai:gpt-4o", schedule="lean")`.

    A `reviewer` judges the report before it is stored: see `Analyzer.analyze`. `settings` are the fields of
    `anomagent.config.Settings`. Raises `UsageError` and `StoreError`; what models fail at is in the result.
    """
    async with Analyzer.open(load_settings(model=model, **settings)) as analyzer:
        return await analyzer.analyze(path, reviewer)


def _worth_resuming(snapshot: StateSnapshot) -> bool:
    """Whether a thread was interrupted with nothing failed yet: what failed then is asked again, not carried along."""
    return bool(snapshot.next) and not _holds_failures(snapshot)


def _holds_failures(snapshot: StateSnapshot) -> bool:
    inner = [task.state for task in snapshot.tasks if isinstance(task.state, StateSnapshot)]
    return bool(snapshot.values.get("failures")) or any(map(_holds_failures, inner))


def status_of(state: dict[str, Any]) -> Status:
    """failed without a result, partial with failures, else ok."""
    if "anomalies" not in state:
        return "failed"
    return "partial" if state.get("failures") else "ok"


def _analysis(result: AnalysisResult) -> Analysis:
    return Analysis(
        image=result["image"],
        sha256=result["sha256"],
        status=result["status"],
        schedule=result["schedule"],
        anomalies=[Anomaly.model_validate(entry) for entry in result["anomalies"]],
        failures=result["failures"],
        usage=UsageTotals.of(result["calls"]),
        seconds=round(result["seconds"], 3),
    )
