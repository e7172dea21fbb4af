"""Where the graph's checkpoints go: SQLite in the workspace, or Postgres by URL for several processes."""

import importlib.util
import sqlite3
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from anomagent.errors import ConfigurationError
from anomagent.store.database import BUSY_SECONDS, connect, store_errors


@asynccontextmanager
async def open_checkpointer(path: Path, url: str | None) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    """The saver for `url` (postgresql://...), or for the SQLite file at `path` where there is none.

    Raises `ConfigurationError` for a server that cannot be used, `StoreError` for a file or database that cannot be
    written. The one for Postgres raises `StoreError` for what it cannot keep, after some patience.
    """
    if url is None:
        with store_errors(path.parent):
            connect(path).close()
        async with AsyncSqliteSaver.from_conn_string(str(path)) as saver:
            await saver.setup()
            # A lost checkpoint costs no call (the ledger has them), so a crash of the machine may take the last ones.
            await saver.conn.execute("PRAGMA synchronous=NORMAL")
            await saver.conn.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000:.0f}")
            try:
                yield saver
            finally:
                # A write that failed, on a full disk for instance, leaves its transaction open, and with it a lock on
                # the file, even behind a close where an error still refers to it. Nobody writes once this is ours.
                async with saver.lock:
                    with suppress(sqlite3.Error):
                        await saver.conn.rollback()
                    await saver.conn.close()
        return
    if importlib.util.find_spec("psycopg_pool") is None:
        raise ConfigurationError("checkpoints in Postgres need an extra: pip install 'anomagent[postgres]'")
    from anomagent.graph.postgres_saver import open_saver

    async with open_saver(url) as saver:
        yield saver
