"""The engine of one machine: one analyzer, and workers that put images through it side by side."""

import asyncio
from collections import Counter
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

from filelock import FileLock, Timeout

from anomagent.batch.configuration import COMMAND
from anomagent.batch.plan import Job, Plan
from anomagent.batch.runner import OnEvent, OnResult, Say
from anomagent.batch.stop import Stop
from anomagent.config import Settings
from anomagent.errors import AnomagentError, ConfigurationError, OutOfBudget, StoreError
from anomagent.graph.analyze import Analyzer
from anomagent.models.seam import Event
from anomagent.models.types import Usage
from anomagent.store import Workspace
from anomagent.store.call_rows import read_good


class LocalEngine:
    """Analyses images in this process."""

    async def analyze(
        self, settings: Settings, plan: Plan, on_result: OnResult, on_event: OnEvent | None, stop: Stop, say: Say
    ) -> None:
        """See `anomagent.batch.runner.Engine`."""
        paid = _Paid(on_event)
        async with Analyzer.open(settings, paid.on_event, COMMAND, plan.admit) as analyzer:
            plan.begin(analyzer.session.workspace, analyzer.run, analyzer.configuration)
            workers = [_work(analyzer, plan, on_result) for _ in range(images_in_flight(settings))]
            try:
                await stop.guard(map(asyncio.create_task, workers))
            finally:
                with suppress(StoreError):
                    await asyncio.to_thread(paid.look_up, analyzer.session.workspace)
                plan.account(analyzer.session.seam.budget.standing, paid.requests, paid.usage)
                await asyncio.to_thread(_sweep_locks, analyzer.session.workspace.locks)


@dataclass
class _Paid:
    """Counts the finished requests of all images, those that were given up included, and passes events on."""

    pass_on: OnEvent | None
    requests: int = 0
    _usages: Counter[str] = field(default_factory=Counter[str])
    _open: dict[str, Usage] = field(default_factory=dict[str, Usage])
    """Calls in flight, and what was counted for each so far."""

    @property
    def usage(self) -> Usage:
        """Tokens of finished requests."""
        return Usage(**self._usages)

    def on_event(self, event: Event) -> None:
        """Take in something that happened to a call; its usage is that of all its requests so far."""
        before = self._open.pop(event.key, None)
        if event.kind in ("answered", "cut_off", "repair", "failed"):
            self.requests += event.detail != OutOfBudget.code
            self._usages.update(asdict(event.usage))
            self._usages.subtract(asdict(before or Usage()))
        if event.kind in ("sent", "retry", "cut_off", "repair"):
            self._open[event.key] = event.usage
        if self.pass_on:
            self.pass_on(event)

    def look_up(self, workspace: Workspace) -> None:
        """Count calls whose answer was kept while their images were given up: no event told of it. Blocks."""
        for key in self._open:
            if good := read_good(workspace, key):
                self.requests += 1
                usage = Usage(good["input_tokens"], good["cached_input_tokens"], good["output_tokens"])
                self._usages.update(asdict(usage))


def images_in_flight(settings: Settings) -> int:
    """How many images are in work at once: enough to fill every place for a call, and few more.

    An image of the schedule `paper` has on average more than two calls in flight (11 + 5 n calls in at most nine steps,
    n objects), of the others at least one. Few images in work keep the calls of one image close together in time, as
    servers' prefix caches want it.
    """
    busy = -(-settings.concurrency // 2) if settings.schedule == "paper" else settings.concurrency
    return busy + max(2, settings.concurrency // 8)


def _sweep_locks(folder: Path) -> None:
    """Remove the files of locks on images that nobody holds.

    Safe beside other processes: a file is removed while we hold its lock, and whoever opened it before finds, once it
    has the lock, that the file is gone, and starts over with a new one.
    """
    for path in folder.glob("*.lock"):
        if path.name.startswith("ledger-"):  # signs of life, not ours to remove
            continue
        with suppress(Timeout, OSError), FileLock(path, blocking=False):
            path.unlink()


async def _work(analyzer: Analyzer, plan: Plan, on_result: OnResult) -> None:
    while job := await plan.next():
        try:
            outcome = await analyzer.analyze(job.item.path)
        except ConfigurationError:
            raise  # no image could be analysed
        except Exception as error:
            await _record(analyzer, job, error)
            on_result(job, error)
        else:
            on_result(job, outcome)


async def _record(analyzer: Analyzer, job: Job, error: Exception) -> None:
    """Keep a fault of ours as a failed analysis, so that it can be retried, unless the fault is in keeping things."""
    if isinstance(error, AnomagentError):
        return
    try:
        await analyzer.record_fault(job.item.path, error)
    except StoreError:
        raise
    except Exception as another:
        error.add_note(f"It is not in the store: {another!r}")
