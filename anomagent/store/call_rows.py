"""Finished requests as rows, however many databases they are in: one shape, copied without doubles."""

import json
from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, cast

from anomagent.models.types import Attempt
from anomagent.store.database import clean
from anomagent.store.workspace import Workspace

COLUMNS = tuple(Attempt.__annotations__)
"""The columns of an `Attempt`. A row of a ledger has `created` as well, and may have the status `spare`."""

_COPIED = (*COLUMNS, "created")
_COPY = f"""
    INSERT INTO calls ({", ".join(_COPIED)}) SELECT {", ".join(f":{column}" for column in _COPIED)}
    WHERE NOT EXISTS (
        SELECT 1 FROM calls WHERE key = :key AND status = :status AND created = :created AND text = :text)
    ON CONFLICT (key) WHERE status = 'good' DO NOTHING"""


_UNFINISHED = f"""
    SELECT {", ".join(_COPIED)} FROM calls WHERE status = 'good' AND image_sha256 NOT IN (
        SELECT sha256 FROM analyses
        WHERE status = 'ok' AND substr(thread_id, instr(thread_id, '-') + 1) IN (SELECT value FROM json_each(?)))
    ORDER BY id"""


def copy_calls(workspace: Workspace, rows: Iterable[Mapping[str, Any]]) -> None:
    """Bring rows of another ledger into the workspace's own; those that are there already are left as they are."""
    with workspace.writing() as connection:
        connection.executemany(_COPY, ({column: clean(row[column]) for column in _COPIED} for row in rows))


def read_good(workspace: Workspace, key: str) -> Attempt | None:
    """The good answer of `key` among the workspace's own calls, if there is one. Only reads."""
    with workspace.reading() as connection:
        query = f"SELECT {', '.join(COLUMNS)} FROM calls WHERE key = ? AND status = 'good'"
        row = connection.execute(query, (key,)).fetchone()
    return cast(Attempt, dict(zip(COLUMNS, row, strict=True))) if row else None


@contextmanager
def unfinished_calls(
    workspace: Workspace, configurations: Sequence[str], at_once: int
) -> Generator[Iterator[list[dict[str, Any]]]]:
    """Good answers about images that have no ok analysis under any of the configurations, some `at_once`.

    Rows as `copy_calls` takes them, oldest first. Reads every call's row once; what was answered meanwhile is not seen.
    """
    with workspace.reading() as connection:
        cursor = connection.execute(_UNFINISHED, [json.dumps(list(configurations))])
        parts = iter(lambda: cursor.fetchmany(at_once), [])
        yield ([dict(zip(_COPIED, row, strict=True)) for row in part] for part in parts)
