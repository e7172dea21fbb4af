"""Ending a batch before its end: in good order, or at once."""

import asyncio
import signal
from collections.abc import Callable, Generator, Iterable
from contextlib import contextmanager
from typing import Literal

Reason = Literal["interrupted", "budget", "disk", "store"]
"""disk: it is full; store: workspace, Postgres or cluster cannot be used for another reason."""

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Stop:
    """Whether a batch is to end, and why; every engine looks here. Belongs to one event loop."""

    def __init__(self) -> None:
        self.reason: Reason | None = None
        """The first reason that was given."""
        self.at_once = asyncio.Event()
        """Set when images in work are given up as well."""

    @property
    def asked(self) -> bool:
        """Whether no further image may begin."""
        return self.reason is not None

    def drain(self, reason: Reason) -> None:
        """Begin nothing new; what is in work is finished."""
        self.reason = self.reason or reason

    def now(self, reason: Reason) -> None:
        """End at once; what is in work is given up, to be resumed later."""
        self.drain(reason)
        self.at_once.set()

    async def guard(self, tasks: Iterable["asyncio.Task[None]"]) -> None:
        """Wait for `tasks`. When one of them raises or the end is to come at once, the others are cancelled.

        Raises what the first of them raised.
        """
        working = set(tasks)
        ending = asyncio.ensure_future(self.at_once.wait())
        try:
            while working and not ending.done():
                done, _ = await asyncio.wait({*working, ending}, return_when=asyncio.FIRST_COMPLETED)
                working -= done
                for task in done - {ending}:
                    task.result()
        finally:
            ending.cancel()
            for task in working:
                task.cancel()
            await asyncio.gather(*working, return_exceptions=True)

    @contextmanager
    def on_signals(self, say: Callable[[str], None]) -> Generator[None]:
        """Meanwhile the first SIGINT or SIGTERM drains, the second ends at once; `say` gets a line about it.

        A SIGINT that this process was started to ignore, as jobs in the background are, stays ignored.
        """
        loop = asyncio.get_running_loop()

        def ask() -> None:
            if self.reason == "interrupted":
                say("stopping at once; the same command resumes")
                self.now("interrupted")
            else:
                say("stopping: images in work are finished, no new one begins; interrupt again to stop at once")
                self.reason = "interrupted"

        listened = [number for number in _SIGNALS if signal.getsignal(number) is not signal.SIG_IGN]
        previous = {number: signal.getsignal(number) for number in listened}
        previous = {number: handler for number, handler in previous.items() if _listen(loop, number, ask)}
        try:
            yield
        finally:
            for number, handler in previous.items():
                loop.remove_signal_handler(number)
                signal.signal(number, handler)


def _listen(loop: asyncio.AbstractEventLoop, number: signal.Signals, ask: Callable[[], None]) -> bool:
    """False where the platform or a thread beside the main one knows no such handlers: signals stay what they were."""
    try:
        loop.add_signal_handler(number, ask)
    except (NotImplementedError, RuntimeError, ValueError):
        return False
    return True
