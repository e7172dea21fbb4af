"""A batch from its first image to its summary, whatever engine does the work."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from anomagent.batch.configuration import UNCHANGED, Gate, unpriced_model
from anomagent.batch.plan import Job, Plan
from anomagent.batch.results import ResultsFile
from anomagent.batch.states import Which
from anomagent.batch.stop import Stop
from anomagent.batch.tally import Tally
from anomagent.benchmark.items import Item
from anomagent.config import Settings
from anomagent.errors import OutOfBudget, StoreError, UsageError
from anomagent.models.seam import Event
from anomagent.state.findings import Analysis, Failure, UsageTotals
from anomagent.store.database import DISK_FULL

OnResult = Callable[[Job, Analysis | Exception], None]
"""Takes in what became of a job: its analysis, or what was raised instead. Never raises, never blocks for long."""
OnEvent = Callable[[Event], None]
Say = Callable[[str], None]
"""Tells the user a line at once."""


class Engine(Protocol):
    """Analyses images: in this process (`local`) or on a cluster (`ray`)."""

    async def analyze(
        self, settings: Settings, plan: Plan, on_result: OnResult, on_event: OnEvent | None, stop: Stop, say: Say
    ) -> None:
        """Analyse what `plan` hands out, so that the workspace holds each result before `on_result` is told of it.

        First the engine finds out the configuration; `plan.admit` may refuse it, before any run is begun, and returns
        what is to be stored with the run. Then `plan.begin`, and `plan.next` for each job until it gives None; any
        number of coroutines may ask it. At the end, however it came, `plan.account`. What an image raises goes to
        `on_result`: a `UsageError` is an unreadable file, a `StoreError` ends the batch, anything else is a fault of
        ours and costs that image. When `stop.at_once` is set nothing more is waited for. `say` tells the user a line.
        Raises `ConfigurationError` for models that cannot be used, `StoreError` for a workspace that cannot be.
        """
        ...


async def run_batch(
    settings: Settings,
    items: Sequence[Item],
    engine: Engine,
    *,
    gate: Gate | None = None,
    which: Which = "missing",
    results: ResultsFile | None = None,
    tally: Tally | None = None,
    on_event: OnEvent | None = None,
    on_analysis: Callable[[Analysis], None] | None = None,
    say: Say = lambda line: None,
) -> Tally:
    """Analyse `items` and return how it went; `tally`, where given, is the one to count in.

    `on_analysis` is told of each result, `say` of what the user should know at once. SIGINT and SIGTERM end the batch
    in good order while this runs. Raises `ConfigurationError` before anything is spent, `StoreError` where the
    workspace cannot be opened.
    """
    stop, tally = Stop(), tally or Tally(len(items))
    gate = gate or Gate()
    plan = Plan(items, gate, which, stop, tally, results)
    desk = _Desk(settings.schedule, stop, tally, plan, results, on_analysis, say)
    with stop.on_signals(say):
        try:
            await engine.analyze(settings, plan, desk.take, on_event, stop, say)
            await plan.settle_debts()
            if gate.needless:
                say(UNCHANGED)
        except StoreError as error:
            if not plan.begun:
                raise
            desk.lose_store(error)
    if unpriced_model(settings):
        tally.standing = None  # it counts what nobody knows as nothing
    tally.close(stop.reason)
    return tally


@dataclass(frozen=True)
class _Desk:
    """Takes in what became of each job."""

    schedule: str
    stop: Stop
    tally: Tally
    plan: Plan
    results: ResultsFile | None
    on_analysis: Callable[[Analysis], None] | None
    say: Say

    def take(self, job: Job, outcome: Analysis | Exception) -> None:
        """The `OnResult` of engines."""
        try:
            match outcome:
                case Analysis() if _is_cut_short(outcome):
                    self._end_budget(job, outcome)
                case Analysis():
                    self._add(job, outcome)
                case StoreError():
                    self.lose_store(outcome)
                case _:
                    self._fail(job, outcome)
        except StoreError as error:  # the file of results cannot be written
            self.lose_store(error)

    def lose_store(self, error: StoreError) -> None:
        """The first trouble of the store ends the batch: what would be paid for now could not be kept."""
        if not self.stop.at_once.is_set():
            self.say(f"{error}; nothing more is sent")
        self.stop.now("disk" if DISK_FULL in str(error) else "store")

    def _add(self, job: Job, analysis: Analysis) -> None:
        self._tell(job.item, analysis)
        for item in self.plan.finish(job, analysis):
            copy = analysis.model_copy(update={"image": item.name, "usage": UsageTotals(), "seconds": 0.0})
            self._tell(item, copy, duplicate=True)

    def _fail(self, job: Job, error: Exception) -> None:
        """A file that cannot be read is its user's affair, everything else ours."""
        unreadable = isinstance(error, UsageError)
        self.tally.unreadable += unreadable
        if not unreadable:
            self.tally.fault = self.tally.fault or error
        message = str(error).removeprefix(f"{job.item.name}: ") if unreadable else f"{type(error).__name__}: {error}"
        self._tell(job.item, self._failed(job, "unreadable" if unreadable else "internal", message))
        self.plan.give_up(job)

    def _failed(self, job: Job, error: str, message: str) -> Analysis:
        failure: Failure = {"role": "batch", "object": None, "error": error, "message": message}
        return Analysis(
            image=job.item.name,
            sha256=job.sha256,
            status="failed",
            schedule=self.schedule,
            anomalies=[],
            failures=[failure],
            usage=UsageTotals(),
            seconds=0.0,
        )

    def _end_budget(self, job: Job, analysis: Analysis) -> None:
        """The image is neither done nor failed: it goes on when there is money again. What it has cost counts."""
        self.tally.spend(analysis.usage)
        if not self.stop.asked:
            self.say("the budget is used up: images in work are ended, no new one begins")
        self.stop.drain("budget")
        self.plan.give_up(job)

    def _tell(self, item: Item, analysis: Analysis, duplicate: bool = False) -> None:
        self.tally.add(analysis, duplicate)
        if self.results:
            self.results.write(item, analysis, self.tally.configuration)
        if self.on_analysis:
            self.on_analysis(analysis)


def _is_cut_short(analysis: Analysis) -> bool:
    return any(failure["error"] == OutOfBudget.code for failure in analysis.failures)
