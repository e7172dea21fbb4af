"""Connections to SQLite, and what SQLite or the disk has to complain about as one line that says what to do."""

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

from sqlite_utils.db import Database

from anomagent.errors import StoreError

BUSY_SECONDS = 30.0
"""How long a writer waits for another process before it gives up."""

DISK_FULL = "disk full; free space and run again: finished calls are kept"

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}
_TOO_LITTLE_SPACE = 1 << 20


def connect(path: Path) -> sqlite3.Connection:
    """Open the database file at `path`, in WAL mode, usable from any one thread at a time.

    With `synchronous=NORMAL` a committed transaction has been handed to the operating system: it survives `kill -9`
    of this process. It is not yet on the platter: a power loss may take the last transactions with it, but never
    leaves a damaged database.
    """
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        _use_wal(connection)
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("PRAGMA foreign_keys = ON")
        return connection
    except BaseException:
        connection.close()
        raise


def _use_wal(connection: sqlite3.Connection) -> None:
    """Switch to WAL. SQLite does not wait for other processes here, so this does."""
    deadline = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                raise
            time.sleep(0.02)


@contextmanager
def transaction(connection: sqlite3.Connection, writes: bool = True) -> Generator[None]:
    """One transaction, all or nothing. The write lock is taken first: a reader cannot always become a writer later."""
    connection.execute("BEGIN IMMEDIATE" if writes else "BEGIN")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


@contextmanager
def store_errors(workspace: Path) -> Generator[None]:
    """Turn errors of SQLite and of the file system into `StoreError`. Mistakes in our SQL stay what they are."""
    try:
        yield
    except sqlite3.Error as error:
        problem = _sqlite_problem(error, workspace)
        if problem is None:
            raise
        raise StoreError(f"workspace {workspace}: {problem}") from error
    except OSError as error:
        raise StoreError(f"workspace {workspace}: {_file_problem(error)}") from error


def tables(connection: sqlite3.Connection) -> Database:
    """sqlite-utils over an open connection, for schemas and inserts."""
    return Database(connection, recursive_triggers=False, execute_plugins=False)


def insert_rows(
    connection: sqlite3.Connection, table: str, rows: Sequence[Mapping[str, Any]], *, ignore: bool = False
) -> None:
    """Insert rows, all with the same keys. `ignore` skips those that are there already."""
    tables(connection).table(table).insert_all([dict(row) for row in rows], ignore=ignore)


def select(connection: sqlite3.Connection, query: str, parameters: Sequence[object] = ()) -> list[dict[str, Any]]:
    """The rows of a query, each with its columns by name."""
    cursor = connection.execute(query, parameters)
    names = [column[0] for column in cursor.description]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def _code(error: sqlite3.Error) -> int:
    """The primary result code; errors raised by Python's own module carry none and give 0."""
    return getattr(error, "sqlite_errorcode", 0) & 0xFF


def _sqlite_problem(error: sqlite3.Error, workspace: Path) -> str | None:
    match _code(error):
        case sqlite3.SQLITE_FULL:
            return DISK_FULL
        case sqlite3.SQLITE_IOERR:
            # A full disk shows up as an input/output error where SQLite maps its files into memory.
            full = shutil.disk_usage(workspace).free < _TOO_LITTLE_SPACE
            return DISK_FULL if full else f"{error}; check the disk, its quota and its free space, then run again"
        case sqlite3.SQLITE_NOTADB | sqlite3.SQLITE_CORRUPT:
            return f"anomagent.db is damaged or no database ({error}); restore it or use another --workspace"
        case sqlite3.SQLITE_READONLY | sqlite3.SQLITE_CANTOPEN | sqlite3.SQLITE_PERM:
            return f"cannot be written ({error}); fix its permissions or use another --workspace"
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return f"another process kept the database locked for {BUSY_SECONDS:.0f} s; run again when it is done"
        case _:
            return None


def _file_problem(error: OSError) -> str:
    if error.errno in _NO_SPACE:
        return DISK_FULL
    reason = error.strerror or type(error).__name__
    place = f": {os.fsdecode(error.filename)}" if isinstance(error.filename, str | bytes) else ""
    return f"cannot be written ({reason}{place}); fix its permissions or use another --workspace"


def clean(value: Any) -> Any:
    """`value` as SQLite can store it: half a surrogate pair, from a model or a file name, becomes a question mark."""
    match value:
        case str():
            return value.encode("utf-8", "replace").decode("utf-8")
        case dict():
            return {clean(key): clean(item) for key, item in cast(dict[Any, Any], value).items()}
        case list() | tuple():
            return [clean(item) for item in cast(list[Any], value)]
        case _:
            return value


def iso(moment: datetime) -> str:
    """`moment` as the tables write it: UTC, ISO 8601, milliseconds, so that text order is time order."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def now() -> str:
    """This moment as the tables write it."""
    return iso(datetime.now(UTC))
