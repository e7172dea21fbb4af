"""Concurrent calls become batches: one worker thread, which takes what has gathered while it was busy."""

import asyncio
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(eq=False)
class Ticket(Generic[Item, Result]):
    """One caller that waits for the result of its item."""

    item: Item
    group: Hashable
    future: "asyncio.Future[Result]" = field(repr=False)

    @property
    def abandoned(self) -> bool:
        """Whether nobody waits any longer; may be read from the worker thread."""
        return self.future.cancelled()


Work = Callable[[Sequence[Ticket[Item, Result]]], Sequence[Result | Exception]]
"""From a batch of one group to one result or exception each, in order; runs in the worker thread."""


class Batcher(Generic[Item, Result]):
    """Gathers items of the same group for `window` seconds, at most `largest` at a time. For one event loop."""

    def __init__(self, work: Work[Item, Result], *, largest: int, window: float) -> None:
        self._work = work
        self._largest = largest
        self._window = window
        self._waiting: list[Ticket[Item, Result]] = []
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="anomagent-model")
        self._runner: asyncio.Task[None] | None = None

    async def submit(self, item: Item, group: Hashable = None) -> Result:
        """The result of `item`, computed together with others of its group."""
        ticket = Ticket[Item, Result](item, group, asyncio.get_running_loop().create_future())
        self._waiting.append(ticket)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await ticket.future

    async def aclose(self) -> None:
        """Drop what waits and end the worker after its present batch."""
        for ticket in self._waiting:
            ticket.future.cancel()
        if self._runner:
            self._runner.cancel()
            await asyncio.wait([self._runner])
        self._worker.shutdown(wait=False, cancel_futures=True)

    async def _run(self) -> None:
        while self._waiting:
            if len(self._waiting) < self._largest:
                await asyncio.sleep(self._window)
            if batch := self._next():
                await self._answer(batch)

    def _next(self) -> list[Ticket[Item, Result]]:
        self._waiting = [ticket for ticket in self._waiting if not ticket.abandoned]
        group = self._waiting[0].group if self._waiting else None
        batch = [ticket for ticket in self._waiting if ticket.group == group][: self._largest]
        self._waiting = [ticket for ticket in self._waiting if ticket not in batch]
        return batch

    async def _answer(self, batch: list[Ticket[Item, Result]]) -> None:
        loop = asyncio.get_running_loop()
        try:
            results = await loop.run_in_executor(self._worker, self._work, batch)
        except asyncio.CancelledError:
            # Closed meanwhile: nobody may wait for ever, and the worker sees that it can stop.
            for ticket in batch:
                ticket.future.cancel()
            raise
        except Exception as error:
            results = [error] * len(batch)
        for ticket, result in zip(batch, results, strict=True):
            if ticket.future.done():
                continue
            if isinstance(result, Exception):
                ticket.future.set_exception(result)
            else:
                ticket.future.set_result(result)
