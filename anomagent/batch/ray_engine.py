"""The engine of many machines: workers on a Ray cluster analyse, this process keeps the results.

Answers are paid for once, whoever asks: the ledger and the checkpoints are in a Postgres that every node reaches. API
keys are read by each worker from its own node's environment; they are never sent. All workers draw from one budget.
Each gets an equal part of the other limits (calls in flight, requests and tokens per minute); the part of a worker that
is away is not used.
"""

import asyncio
import secrets
import time
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from anomagent.batch.configuration import COMMAND
from anomagent.batch.local import images_in_flight
from anomagent.batch.plan import Job, Plan
from anomagent.batch.ray_actor import scratch_of
from anomagent.batch.ray_cluster import check_settings, connect, count_workers, share_out
from anomagent.batch.ray_crew import Crew, ImageKills, NoWorkers
from anomagent.batch.runner import OnEvent, OnResult, Say
from anomagent.batch.stop import Stop
from anomagent.config import Settings
from anomagent.errors import ConfigurationError, StoreError
from anomagent.graph.checkpoints import open_checkpointer
from anomagent.graph.identity import configuration_hash, thread_id
from anomagent.models.budget import Standing
from anomagent.state.context import AnalysisContext, roles_of
from anomagent.state.findings import Analysis, Failure
from anomagent.store import AnalysisResult, Workspace, finish_run, ingest_image, save_analysis, start_run
from anomagent.store.call_rows import copy_calls
from anomagent.store.ledgers import lend_calls

if TYPE_CHECKING:
    from anomagent.store.postgres_ledger import PostgresLedger
    from anomagent.store.postgres_money import Pot

_LINE_SECONDS: Final = 10.0


class RayEngine:
    """Analyses images on the Ray cluster that `RAY_ADDRESS` names, or on that of this machine."""

    async def analyze(
        self, settings: Settings, plan: Plan, on_result: OnResult, on_event: OnEvent | None, stop: Stop, say: Say
    ) -> None:
        """See `anomagent.batch.runner.Engine`."""
        check_settings(settings)
        workspace = await asyncio.to_thread(Workspace.open, settings.workspace)
        context = AnalysisContext(**settings.options)
        async with _postgres(settings) as ledger, _crew(settings, workspace, ledger, plan) as crew:
            # A cluster that is busy lets us wait, and the user may not want to.
            await stop.guard([asyncio.create_task(crew.meet())])
            if stop.at_once.is_set():
                return
            configuration, run = await asyncio.to_thread(_begin, workspace, context, crew.models, plan)
            plan.begin(workspace, run, configuration)
            await stop.guard([asyncio.create_task(_lend(workspace, ledger, plan, stop, say))])
            desk = _Desk(workspace, ledger, crew, context, run, configuration, on_event)
            workers = [_work(desk, plan, on_result) for _ in range(images_in_flight(settings))]
            await stop.guard(map(asyncio.create_task, workers))
            await asyncio.to_thread(finish_run, workspace, run)


@dataclass(frozen=True)
class _Desk:
    """Sends images out and keeps what comes back."""

    workspace: Workspace
    ledger: "PostgresLedger"
    crew: Crew
    context: AnalysisContext
    run: str
    configuration: str
    on_event: OnEvent | None

    async def analyze(self, name: str) -> Analysis:
        """One image. Its result and the calls it is made of are in the workspace before this returns."""
        image = await asyncio.to_thread(ingest_image, self.workspace, name)
        data = await asyncio.to_thread(Path(image["path"]).read_bytes)
        reply = await self.crew.analyze(data)
        if self.on_event:
            for event in reply.events:
                self.on_event(event)
        result: AnalysisResult = {
            **reply.result,
            "image": name,
            "sha256": image["sha256"],
            "thread_id": thread_id(image, self.configuration),
        }
        calls = await self.ledger.calls([call["key"] for call in result["calls"]])
        await asyncio.to_thread(self._keep, result, calls)
        if reply.analysis is None:
            fault = WorkerFault(reply.fault.splitlines()[-1])
            fault.add_note(reply.fault)
            raise fault
        return reply.analysis.model_copy(update={"image": name})

    async def record_fault(self, job: Job, error: Exception) -> None:
        """Keep in the store that an image has no result, so that it can be retried."""
        image = await asyncio.to_thread(ingest_image, self.workspace, job.item.path)
        failure: Failure = {"role": "Analyzer", "object": None, "error": "internal", "message": str(error)}
        result: AnalysisResult = {
            "image": job.item.path,
            "sha256": image["sha256"],
            "thread_id": thread_id(image, self.configuration),
            "status": "failed",
            "schedule": self.context.schedule,
            "models": {role: self.context.model_for(role) for role in roles_of(self.context.schedule)},
            "anomalies": [],
            "objects": [],
            "perceptions": [],
            "reports": [],
            "scans": [],
            "pools": [],
            "candidates": [],
            "failures": [failure],
            "calls": [],
            "seconds": 0.0,
        }
        await asyncio.to_thread(self._keep, result, [])

    def _keep(self, result: AnalysisResult, calls: list[dict[str, Any]]) -> None:
        copy_calls(self.workspace, calls)
        save_analysis(self.workspace, self.run, result)


class WorkerFault(Exception):
    """A fault of ours in a worker; its failed result is kept."""


async def _work(desk: _Desk, plan: Plan, on_result: OnResult) -> None:
    while job := await plan.next():
        try:
            outcome = await desk.analyze(job.item.path)
        except ConfigurationError as error:
            # Workers could use the models when they came. An end with a reason: what is done is to be counted.
            on_result(job, NoWorkers(str(error)))
        except ImageKills as error:
            await desk.record_fault(job, error)
            on_result(job, error)
        except Exception as error:
            on_result(job, error)
        else:
            on_result(job, outcome)


def _begin(workspace: Workspace, context: AnalysisContext, models: dict[str, str], plan: Plan) -> tuple[str, str]:
    """The configuration's hash, and the run that begins with it."""
    options = context.model_dump()
    # As the engine of one machine with the same settings: results of either count for both.
    configuration = configuration_hash(context, models)
    more = plan.admit(workspace, configuration, options, models)
    return configuration, start_run(workspace, COMMAND, {**options, **more}, configuration)


@asynccontextmanager
async def _postgres(settings: Settings) -> AsyncGenerator["PostgresLedger"]:
    """The ledger, for reading. All tables are made here, once, before many workers come."""
    from anomagent.store.postgres_ledger import PostgresLedger

    async with open_checkpointer(Path(), settings.checkpoints):
        pass

    assert settings.ledger, "it was checked"
    ledger = await PostgresLedger.open(settings.ledger)
    try:
        yield ledger
    finally:
        await ledger.aclose()


async def _lend(workspace: Workspace, ledger: "PostgresLedger", plan: Plan, stop: Stop, say: Say) -> None:
    """Let workers know what only this workspace was answered, and the user that this takes a while."""
    copied, due = 0, time.monotonic() + _LINE_SECONDS

    def go_on(seen: int, there: int) -> bool:
        nonlocal copied, due
        copied = there
        if time.monotonic() > due:
            due += _LINE_SECONDS
            say(f"copying calls of this workspace to the shared ledger: {seen:,} looked at, {there:,} copied")
        return not stop.asked

    await lend_calls(workspace, ledger, plan.configurations, go_on)
    if copied:
        say(f"{copied:,} calls of this workspace were copied to the shared ledger")


@asynccontextmanager
async def _crew(settings: Settings, workspace: Workspace, ledger: "PostgresLedger", plan: Plan) -> AsyncGenerator[Crew]:
    """The workers, gone at the end, when what they paid is noted. A connection to the cluster that was there stays."""
    from anomagent.store.postgres_money import Pot

    ray, connected = await asyncio.to_thread(connect)
    try:
        count = await asyncio.to_thread(count_workers, ray, settings.concurrency)
        here = settings.model_copy(update={"workspace": scratch_of(workspace.path)})
        batch = f"anomagent-{secrets.token_hex(4)}"
        names = [f"{batch}-{number}" for number in range(count)]
        parts = [share_out(here, count, number, name) for number, name in enumerate(names)]
        async with _purse(Pot(ledger, batch, names), settings.budget_usd, plan) as (on_loss, spent):
            crew = Crew(ray, parts, names, on_loss)
            try:
                yield crew
            finally:
                await crew.close()
                spent.update(crew.spent)
    finally:
        if connected:
            await asyncio.to_thread(ray.shutdown)


@asynccontextmanager
async def _purse(
    pot: "Pot", budget: float | None, plan: Plan
) -> AsyncGenerator[tuple[Callable[[str, int], None], dict[str, float]]]:
    """The batch's money: a full pot, who takes back what dead workers leave, and a place for what workers say that they
    spent. Counted at the end, as far as Postgres can be reached."""
    burials, spent = set[asyncio.Task[None]](), dict[str, float]()

    def on_loss(worker: str, life: int) -> None:
        if budget is not None:
            burials.add(asyncio.create_task(pot.bury(worker, life)))

    if budget is not None:
        await pot.fill(budget)
    try:
        yield on_loss, spent
    finally:
        await asyncio.gather(*burials, return_exceptions=True)  # what is not given back is not spent either
        with suppress(StoreError):
            if plan.begun:
                usd, requests, usage = await pot.paid(spent)
                plan.account(Standing(usd, 0.0, budget), requests, usage)
            await pot.empty()
