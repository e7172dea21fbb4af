"""Where the graph's checkpoints go: SQLite in the workspace, or Postgres by URL for several processes."""

import importlib.util
import logging
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

    Raises `ConfigurationError` for a server that cannot be used, `StoreError` for a file that cannot be written.
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
                # A write that failed, on a full disk for instance, leaves its transaction open, and with it a lock.
                with suppress(sqlite3.Error):
                    await saver.conn.rollback()
        return
    if importlib.util.find_spec("psycopg_pool") is None:
        raise ConfigurationError("checkpoints in Postgres need an extra: pip install 'anomagent[postgres]'")
    async with _postgres(url) as saver:
        yield saver


@asynccontextmanager
async def _postgres(url: str) -> AsyncGenerator[BaseCheckpointSaver[str]]:
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver
    from psycopg import ProgrammingError
    from psycopg.conninfo import conninfo_to_dict
    from psycopg.rows import dict_row
    from psycopg_pool import AsyncConnectionPool, PoolTimeout

    try:
        conninfo_to_dict(url)
    except ProgrammingError:
        url = ""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(
            "`checkpoints` is no URL of a Postgres; give postgresql://USER:PASSWORD@HOST:PORT/NAME"
        )
    # The pool's own complaints repeat parts of the URL, and with them the password.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    kwargs = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    pool = AsyncConnectionPool(url, kwargs=kwargs, open=False, max_size=8)
    try:
        await pool.open(wait=True, timeout=10)
    except PoolTimeout:
        await pool.close()
        raise ConfigurationError(
            "cannot connect to the Postgres of `checkpoints`; check the URL and the server"
        ) from None
    async with pool:
        saver = AsyncPostgresSaver(pool)  # pyright: ignore[reportArgumentType]  # the pool's row type is set by kwargs
        await saver.setup()
        yield saver
