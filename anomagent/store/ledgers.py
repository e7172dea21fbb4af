"""Which ledger a session writes to."""

import asyncio
import importlib.util
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from anomagent.errors import ConfigurationError
from anomagent.models.types import Attempt, Ledger
from anomagent.store.call_rows import copy_calls, read_good, unfinished_calls
from anomagent.store.ledger import SqliteLedger
from anomagent.store.workspace import Workspace

if TYPE_CHECKING:
    from anomagent.store.postgres_ledger import PostgresLedger

_AT_ONCE: Final = 200
"""Calls that are compared and copied together: some megabytes of text."""


class OpenLedger(Ledger, Protocol):
    """A ledger that has to be closed."""

    async def aclose(self) -> None:
        """Finish what was begun and give up our claims. May be called twice."""
        ...


class SharedLedger:
    """A ledger in Postgres, and the workspace's own calls beside it: what either has is not paid again.

    The workspace is asked first, and gets a copy of every call that was made or used here, so that its results can be
    explained, and resumed with another ledger.
    """

    def __init__(self, workspace: Workspace, shared: "PostgresLedger") -> None:
        self._workspace = workspace
        self._shared = shared

    async def good(self, key: str) -> Attempt | None:
        """The good answer of `key`, if there is one."""
        if here := await asyncio.to_thread(read_good, self._workspace, key):
            return here
        if there := await self._shared.good(key):
            await self._copy(key)
        return there

    async def claim(self, key: str) -> bool:
        """See `PostgresLedger.claim`."""
        return await self._shared.claim(key)

    async def record(self, attempt: Attempt) -> None:
        """Write a finished request durably to the shared ledger."""
        await self._shared.record(attempt)

    async def release(self, key: str) -> None:
        """Give up the claim on `key`, and copy what was recorded meanwhile."""
        await self._shared.release(key)
        await self._copy(key)

    async def aclose(self) -> None:
        """Finish what was begun and give up our claims. May be called twice."""
        await self._shared.aclose()

    async def _copy(self, key: str) -> None:
        if rows := await self._shared.calls([key]):
            await asyncio.to_thread(copy_calls, self._workspace, rows)


async def open_ledger(workspace: Workspace, url: str | None) -> OpenLedger:
    """The ledger at `url` (postgresql://...), which many machines can share, or where it is None the workspace's own.

    Raises `ConfigurationError` for a server that cannot be used, `StoreError` for a workspace that cannot be written.
    """
    if url is None:
        return await asyncio.to_thread(SqliteLedger, workspace)
    if importlib.util.find_spec("psycopg_pool") is None:
        raise ConfigurationError("a ledger in Postgres needs an extra: pip install 'anomagent[postgres]'")
    from anomagent.store.postgres_ledger import PostgresLedger

    return SharedLedger(workspace, await PostgresLedger.open(url))


async def lend_calls(
    workspace: Workspace, shared: "PostgresLedger", configurations: Sequence[str], go_on: Callable[[int, int], bool]
) -> None:
    """Copy to `shared` what the workspace alone was answered about images that are not finished, for other machines.

    `go_on` is told now and then how many calls were looked at and copied so far, and may end it: what is there is not
    copied again. `configurations`: hashes of those whose ok analyses count as finished. Raises `StoreError`.
    """
    looked_at = copied = 0
    with unfinished_calls(workspace, configurations, _AT_ONCE) as parts:
        while go_on(looked_at, copied) and (rows := await asyncio.to_thread(next, parts, None)):
            copied += await shared.add_missing(rows)
            looked_at += len(rows)
