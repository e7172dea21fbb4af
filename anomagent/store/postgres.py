"""Connections to Postgres: URLs are checked, passwords are never repeated, complaints are one line."""

import asyncio
import logging
import os
import socket
from collections.abc import AsyncGenerator, Awaitable, Callable, Generator
from contextlib import asynccontextmanager, contextmanager, suppress
from datetime import UTC, datetime
from typing import Any, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import AsyncConnectionPool, PoolTimeout
from tenacity import AsyncRetrying, retry_if_exception, stop_after_delay, wait_exponential

from anomagent.errors import ConfigurationError, StoreError
from anomagent.store.database import DISK_FULL, iso

T = TypeVar("T")

CONNECT_SECONDS = 10.0
"""How long a server may take to let us in."""
PATIENCE_SECONDS = 60.0
"""How long what is to be kept waits for a server that is away."""
ANSWER_SECONDS = 20.0
"""How long a server may be silent, once it was asked something, before the connection is given up."""

_TRY_SECONDS = 5.0
_OPTIONS: dict[str, Any] = {
    "autocommit": True,
    "client_encoding": "utf8",
    "connect_timeout": int(CONNECT_SECONDS),
    # A network that swallows everything: noticed after about as long as a server that is silent.
    "tcp_user_timeout": int(ANSWER_SECONDS * 1000),
    "keepalives_idle": 10,
    "keepalives_interval": 5,
    "keepalives_count": 3,
}
_ENCODINGS = ("UTF8", "SQL_ASCII")
"""Encodings of a database that keep any text as it is."""


_REFUSED = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.InvalidSchemaName,
    psycopg.errors.ReadOnlySqlTransaction,
)


class Pool(AsyncConnectionPool[psycopg.AsyncConnection[Any]]):
    """Connections that are waited for briefly, and given up where the server says nothing for `ANSWER_SECONDS`."""

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncGenerator[psycopg.AsyncConnection[Any]]:
        """A connection for one piece of work. Raises `PoolTimeout`; its user gets `OperationalError` from silence."""
        async with super().connection(timeout or _TRY_SECONDS) as connection:
            watch = asyncio.get_running_loop().call_later(ANSWER_SECONDS, hang_up, connection)
            try:
                yield connection
            finally:
                watch.cancel()


class Patience:
    """Tries again while the way to the server is broken, for some seconds in all.

    Whoever has waited in vain tries only once from then on, until a try succeeds: the end of a batch does not wait
    again for each of many things.
    """

    def __init__(self, setting: str, seconds: float) -> None:
        self._setting = setting
        self._seconds = seconds
        self._lost = False

    async def run(self, work: Callable[[], Awaitable[T]]) -> T:
        """The result of `work`, which must do no harm when it is done twice. Raises `StoreError`."""
        retrying = AsyncRetrying(
            retry=retry_if_exception(is_passing),
            wait=wait_exponential(0.1, max=5),
            stop=stop_after_delay(0 if self._lost else self._seconds),
            reraise=True,
        )
        with postgres_errors(self._setting):
            try:
                async for attempt in retrying:
                    with attempt:
                        result = await work()
                        self._lost = False
                        return result
            except Exception as error:
                self._lost = is_passing(error)
                raise
        raise AssertionError("a try returns or raises")


def hang_up(connection: psycopg.AsyncConnection[Any] | psycopg.Connection) -> None:
    """End the way to a server that says nothing: whoever waits for it gets an `OperationalError`.

    A cancelled statement would go on waiting for the server to confirm that.
    """
    with suppress(psycopg.Error, OSError), socket.socket(fileno=os.dup(connection.fileno())) as way:
        way.shutdown(socket.SHUT_RDWR)


def check_url(url: str, setting: str) -> None:
    """Raises `ConfigurationError` where `url`, given in `setting`, is no URL of a Postgres."""
    try:
        conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        url = ""
    if not url.startswith(("postgresql://", "postgres://")):
        raise ConfigurationError(f"`{setting}` is no URL of a Postgres; give postgresql://USER:PASSWORD@HOST:PORT/NAME")


def connect(url: str, **options: Any) -> psycopg.Connection:
    """A connection for one thread, every statement its own transaction; `options` go before our own."""
    return psycopg.connect(url, **{**_OPTIONS, **options})


async def open_pool(url: str, setting: str, most: int, **options: Any) -> Pool:
    """A pool of at most `most` connections, every statement its own transaction; `options` are for connections.

    Raises `ConfigurationError` where the server cannot be used.
    """
    check_url(url, setting)
    # The pool's own complaints repeat parts of the URL, and with them the password.
    logging.getLogger("psycopg.pool").setLevel(logging.CRITICAL)
    # Its own pauses between tries to connect would grow beyond our patience: ours begin new ones.
    options = {**_OPTIONS, **options}
    pool = Pool(url, kwargs=options, open=False, min_size=1, max_size=most, reconnect_timeout=_TRY_SECONDS)
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
        *_REFUSED,
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
    if isinstance(error, _REFUSED):
        return "its user may not make or write tables; grant it CREATE on the schema"
    if is_passing(error):
        return "cannot be reached any more; finished calls are kept, run again when it is back"
    state = getattr(error, "sqlstate", None)
    return f"cannot be written (SQLSTATE {state}); see the server's log"
