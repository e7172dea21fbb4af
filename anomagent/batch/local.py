"""The engine of one machine: one analyzer, and workers that put images through it side by side."""

import asyncio

from anomagent.batch.configuration import COMMAND
from anomagent.batch.plan import Job, Plan
from anomagent.batch.runner import OnEvent, OnResult
from anomagent.batch.stop import Stop
from anomagent.config import Settings
from anomagent.errors import AnomagentError, ConfigurationError, StoreError
from anomagent.graph.analyze import Analyzer


class LocalEngine:
    """Analyses images in this process."""

    async def analyze(
        self, settings: Settings, plan: Plan, on_result: OnResult, on_event: OnEvent | None, stop: Stop
    ) -> None:
        """See `anomagent.batch.runner.Engine`."""
        async with Analyzer.open(settings, on_event, COMMAND, plan.admit) as analyzer:
            plan.begin(analyzer.session.workspace, analyzer.run, analyzer.configuration)
            workers = [_work(analyzer, plan, on_result) for _ in range(images_in_flight(settings))]
            try:
                await stop.guard(map(asyncio.create_task, workers))
            finally:
                plan.account(analyzer.session.seam.budget.standing)


def images_in_flight(settings: Settings) -> int:
    """How many images are in work at once: enough to fill every place for a call, and few more.

    An image of the schedule `paper` has on average more than two calls in flight (11 + 5 n calls in at most nine steps,
    n objects), of the others at least one. Few images in work keep the calls of one image close together in time, as
    servers' prefix caches want it.
    """
    busy = -(-settings.concurrency // 2) if settings.schedule == "paper" else settings.concurrency
    return busy + max(2, settings.concurrency // 8)


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
