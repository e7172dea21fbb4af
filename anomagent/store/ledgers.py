"""Which ledger a session writes to."""

import asyncio
import importlib.util
from typing import Protocol

from anomagent.errors import ConfigurationError
from anomagent.models.types import Ledger
from anomagent.store.ledger import SqliteLedger
from anomagent.store.workspace import Workspace


class OpenLedger(Ledger, Protocol):
    """A ledger that has to be closed."""

    async def aclose(self) -> None:
        """Finish what was begun and give up our claims. May be called twice."""
        ...


async def open_ledger(workspace: Workspace, url: str | None) -> OpenLedger:
    """The ledger at `url` (postgresql://...), which many machines can share, or else the workspace's own.

    Raises `ConfigurationError` for a server that cannot be used, `StoreError` for a workspace that cannot be written.
    """
    if url is None:
        return await asyncio.to_thread(SqliteLedger, workspace)
    if importlib.util.find_spec("psycopg_pool") is None:
        raise ConfigurationError("a ledger in Postgres needs an extra: pip install 'anomagent[postgres]'")
    from anomagent.store.postgres_ledger import PostgresLedger

    return await PostgresLedger.open(url)
