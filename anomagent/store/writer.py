"""One thread that owns one connection: coroutines hand it small pieces of work, it commits those that wait together."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any, TypeVar

from anomagent.errors import StoreError
from anomagent.store.database import connect, store_errors, transaction
from anomagent.store.workspace import Workspace

T = TypeVar("T")
Work = Callable[[sqlite3.Connection], T]

_MOST_TOGETHER = 256


@dataclass(frozen=True)
class _Job:
    """Work, and the coroutine that waits for it (none for work that nobody waits for)."""

    work: Work[Any]
    future: asyncio.Future[Any] | None
    writes: bool = True

    def finish(self, result: object = None, error: Exception | None = None) -> None:
        if self.future is None:
            return
        with suppress(RuntimeError):  # the loop was closed: nobody waits any more
            self.future.get_loop().call_soon_threadsafe(_settle, self.future, result, error)


def _settle(future: asyncio.Future[Any], result: object, error: Exception | None) -> None:
    if future.done():
        return
    if error is None:
        future.set_result(result)
    else:
        future.set_exception(error)


class Writer:
    """The thread. Work runs in the order in which it was handed over, each piece inside a transaction.

    Work must touch nothing but the connection: when one of several pieces fails, the others are run again.
    `beat` is run every `every` seconds, whatever the event loop is doing meanwhile.
    """

    def __init__(self, workspace: Workspace, beat: Work[None], every: float) -> None:
        self._workspace = workspace
        self._beat = beat
        self._every = every
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._closed = False
        self._closing = Lock()
        with store_errors(workspace.path):
            self._connection = connect(workspace.database_path)
        self._thread = Thread(target=self._run, name="anomagent-ledger", daemon=True)
        self._thread.start()

    async def run(self, work: Work[T], writes: bool = True) -> T:
        """Run `work`, commit it and return its result. It is done even where the waiting coroutine is cancelled."""
        future: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        self._put(_Job(work, future, writes))
        return await future

    def post(self, work: Work[object]) -> None:
        """Run `work` without waiting for it; errors are dropped."""
        self._put(_Job(work, None))

    def close(self) -> None:
        """Finish what was handed over, then end the thread. Blocks; may be called twice."""
        with self._closing:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _put(self, job: _Job) -> None:
        with self._closing:
            if self._closed:
                raise StoreError(f"workspace {self._workspace.path}: the ledger is closed; open a new one")
            self._jobs.put(job)

    def _run(self) -> None:
        due = time.monotonic() + self._every
        going_on = True
        while going_on:
            jobs, going_on = self._take(due - time.monotonic())
            if jobs:
                self._commit(jobs)
            if time.monotonic() >= due:
                due = time.monotonic() + self._every
                self._commit([_Job(self._beat, None)])
        self._connection.close()

    def _take(self, patience: float) -> tuple[list[_Job], bool]:
        """The jobs that wait, after waiting for one at most `patience` seconds; false with the last ones."""
        jobs: list[_Job] = []
        try:
            job = self._jobs.get(timeout=max(0.0, patience))
            while job is not None:
                jobs.append(job)
                if len(jobs) == _MOST_TOGETHER:
                    return jobs, True
                job = self._jobs.get_nowait()
        except Empty:
            return jobs, True
        return jobs, False

    def _commit(self, jobs: list[_Job]) -> None:
        """Run `jobs` in one transaction; where that fails, each in its own, so that only the culprit fails."""
        try:
            writes = any(job.writes for job in jobs)
            with store_errors(self._workspace.path), transaction(self._connection, writes):
                results = [job.work(self._connection) for job in jobs]
        except Exception as error:
            if len(jobs) == 1:
                jobs[0].finish(error=error)
            else:
                for job in jobs:
                    self._commit([job])
        else:
            for job, result in zip(jobs, results, strict=True):
                job.finish(result)
