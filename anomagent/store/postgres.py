"""Connections to Postgres: URLs are checked, passwords are never repeated, complaints are one line."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from anomagent.errors import ConfigurationError, StoreError
from anomagent.store.database import DISK_FULL, iso

Pool = AsyncConnectionPool[psycopg.AsyncConnection]

CONNECT_SECONDS = 10.0
"""How long a server may take to let us in."""

_OPTIONS: dict[str, Any] = {"autocommit": True, "client_encoding": "utf8", "connect_timeout": int(CONNECT_SECONDS)}
_ENCODINGS = ("UTF8", "SQL_ASCII")
"""Encodings of a database that keep any text as it is."""


def check_url(url: str, setting: str) -> None:
    """Raises `ConfigurationError` where `url`, given in `setting`, is no URL of a Postgres."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        url = ""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(f"`{setting}` is no URL of a Postgres; give postgresql://USER:PASSWORD@HOST:PORT/NAME")


def connect(url: str) -> psycopg.Connection:
    """A connection for one thread, every statement its own transaction."""
    return psycopg.connect(url, **_OPTIONS)


async def connect_async(url: str) -> psycopg.AsyncConnection:
    """The same for an event loop."""
    return await psycopg.AsyncConnection.connect(url, **_OPTIONS)


async def open_pool(url: str, setting: str, most: int) -> Pool:
    """A pool of at most `most` connections, every statement its own transaction.

    Raises `ConfigurationError` where the server cannot be used.
    """
    check_url(url, setting)
    # The pool's own complaints repeat parts of the URL, and with them the password.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    pool: Pool = AsyncConnectionPool(url, kwargs=_OPTIONS, open=False, min_size=1, max_size=most)
    try:
        await pool.open(wait=True, timeout=CONNECT_SECONDS)
    except PoolTimeout:
        await pool.close()
        raise ConfigurationError(
            f"cannot connect to the Postgres of `{setting}`; check the URL and the server"
        ) from None
    except BaseException:
        await pool.close()
        raise
    return pool


async def check_encoding(connection: psycopg.AsyncConnection, setting: str) -> None:
    """Raises `ConfigurationError` for a database that cannot hold every text."""
    encoding = connection.info.parameter_status("server_encoding")
    if encoding not in _ENCODINGS:
        raise ConfigurationError(
            f"the database of `{setting}` has the encoding {encoding}; make one with ENCODING 'UTF8'"
        )


@contextmanager
def postgres_errors(setting: str) -> Generator[None]:
    """Turn complaints of the server, or of the way to it, into `StoreError`. Mistakes in our SQL stay what they are."""
    try:
        yield
    except (
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.errors.InsufficientPrivilege,
        PoolTimeout,
    ) as error:
        # The error itself stays out of the message and the chain: what libpq says may repeat the URL.
        raise StoreError(f"the Postgres of `{setting}`: {_problem(error)}") from None


def is_passing(error: BaseException) -> bool:
    """Whether the way to the server broke, or the server is starting or stopping: worth another try."""
    if isinstance(error, PoolTimeout | psycopg.InterfaceError):
        return True
    state = getattr(error, "sqlstate", None)
    lost = state is None or state[:2] in ("08", "40") or state in ("57P01", "57P02", "57P03")
    return isinstance(error, psycopg.OperationalError) and lost


def stamp(moment: datetime) -> str:
    """A time of the server as the tables of a workspace write it."""
    return iso(moment.astimezone(UTC))


def _problem(error: Exception) -> str:
    if isinstance(error, psycopg.errors.DiskFull):
        return DISK_FULL
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return "its user may not make or write tables; grant it CREATE on the schema"
    if is_passing(error):
        return "cannot be reached any more; finished calls are kept, run again when it is back"
    state = getattr(error, "sqlstate", None)
    return f"cannot be written (SQLSTATE {state}); see the server's log"
