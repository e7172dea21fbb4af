"""Blocking work beside the event loop, in threads that nobody waits for in the end."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from threading import Thread
from typing import Any, ParamSpec, TypeVar

_Asked = ParamSpec("_Asked")
_Done = TypeVar("_Done")


async def in_thread(work: Callable[_Asked, _Done], *arguments: _Asked.args, **options: _Asked.kwargs) -> _Done:
    """Do blocking work in a thread of its own and return what it returns, or raise what it raises.

    A database that is locked may hold a thread for half a minute. The threads of asyncio and of anyio would keep a
    server alive for that long after Ctrl-C; this one ends with the process, and its transaction is rolled back.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[_Done] = loop.create_future()

    def settle(set_outcome: Callable[[Any], None], outcome: Any) -> None:
        if not done.done():
            set_outcome(outcome)

    def run() -> None:
        try:
            settling = (done.set_result, work(*arguments, **options))
        except Exception as error:
            settling = (done.set_exception, error)
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, *settling)

    Thread(target=run, daemon=True).start()
    return await done
