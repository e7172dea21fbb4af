"""Which analyses count: the newest finished one of each image, of a run or of the whole workspace, as temporary tables.

They live as long as the connection, and are filled inside its one read transaction.
"""

import sqlite3
from collections.abc import Collection, Mapping
from typing import Final, Literal

from anomagent.benchmark.annotations import base_name
from anomagent.errors import UsageError
from anomagent.store.database import clean
from anomagent.store.workspace import Workspace

Key = Literal["base", "path", "sha256"]
"""What an image is known by: the last part of its name, its name as it was analysed, or its content alone."""

_SHOWN_RUNS = 5
_ONE_IMAGE: Final[Mapping[Key, str]] = {"base": "sha256, base_name(image)", "path": "image", "sha256": "sha256"}
"""Names whose analyses are equal in these are one image, of which the newest counts."""
_NAMELESS: Final = "<image>"
"""What an image is called that came without a name."""
_FINISHED: Final = "status != 'running'"
_BEYOND_IDS = 10**12
_NEWEST: Final = f"max(id + (status != 'failed') * {_BEYOND_IDS}) % {_BEYOND_IDS}"
"""The id of the newest analysis that has a result; of the newest at all only where none has."""


def source_of(workspace: Workspace, run_id: str | None) -> str:
    """The run or the workspace, as messages name it."""
    return f"workspace {workspace.path}" if run_id is None else f"run {run_id}"


def nothing_in(source: str) -> str:
    """What is said where no analysis has finished."""
    return f"{source}: no image is analysed yet; run some first"


def check_run(workspace: Workspace, connection: sqlite3.Connection, run_id: str) -> None:
    """Raises `UsageError`, with the last runs, where there is no such run."""
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (clean(run_id),)).fetchone():
        return
    last = connection.execute("SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT ?", (_SHOWN_RUNS,)).fetchall()
    known = f"the last ones are {', '.join(row[0] for row in last)}" if last else "it has none yet"
    raise UsageError(f"no run {run_id!r} in workspace {workspace.path}; {known}")


def note_newest(connection: sqlite3.Connection, run_id: str | None, key: Key, *, further_names: bool) -> int:
    """Fill the temporary table `newest` with analyses and the images they are of, and return how many there are.

    They are the newest analysis with a result of the content that each name had last (the newest at all where none has
    a result), and of the names that are one image by `key` only the newest; a name under which it was analysed goes
    before a further one. SQLite takes the columns beside max() from the row that has it.
    """
    connection.create_function("base_name", 1, base_name, deterministic=True)
    connection.execute("CREATE TEMP TABLE newest (position INTEGER PRIMARY KEY, id INTEGER, image TEXT)")
    scope, values = scope_of(run_id)
    query = f"""
        INSERT INTO newest (id, image)
        WITH latest AS (
            SELECT max(id), image, sha256 FROM analyses WHERE {_FINISHED} AND {scope} GROUP BY image),
        own AS (
            SELECT {_NEWEST} AS id, image, sha256 FROM analyses JOIN latest USING (image, sha256)
            WHERE {_FINISHED} AND {scope} GROUP BY image),
        contents AS (SELECT {_NEWEST} AS id, sha256 FROM analyses WHERE {_FINISHED} AND {scope} GROUP BY sha256),
        further AS (
            SELECT id, name AS image, sha256, max(first_seen) FROM image_names JOIN contents USING (sha256)
            WHERE ? AND name != '{_NAMELESS}' AND name NOT IN (SELECT image FROM own) GROUP BY name),
        named AS (
            SELECT id * 2 + 1 AS rank, image, sha256 FROM own UNION ALL
            SELECT id * 2, image, sha256 FROM further),
        chosen AS (SELECT max(rank) AS rank, image FROM named GROUP BY {_ONE_IMAGE[key]})
        SELECT rank / 2, image FROM chosen ORDER BY rank / 2, rank % 2 DESC, image"""
    return connection.execute(query, [*values, *values, *values, further_names]).rowcount


def note_decided(connection: sqlite3.Connection) -> int:
    """Fill the temporary table `decided` with what people decided of which candidate, and return how many they are."""
    connection.execute("CREATE TEMP TABLE decided (anomaly_id INTEGER PRIMARY KEY, verdict TEXT NOT NULL)")
    return connection.execute("INSERT INTO decided SELECT anomaly_id, verdict FROM decisions").rowcount


def prefer_reviewed(connection: sqlite3.Connection, run_id: str | None) -> None:
    """Let names of one content share its newest analysis where nobody has seen the candidates of their own.

    People review a content once, not once for each of its names. Needs `note_newest` and `note_decided`.
    """
    scope, values = scope_of(run_id)
    query = f"""
        UPDATE newest SET id = (
            SELECT {_NEWEST} FROM analyses
            WHERE sha256 = (SELECT sha256 FROM analyses WHERE id = newest.id) AND {_FINISHED} AND {scope})
        WHERE id IN (
            SELECT newest.id FROM newest JOIN anomalies ON analysis_id = newest.id
            LEFT JOIN decided ON anomaly_id = anomalies.id GROUP BY newest.id HAVING count(verdict) = 0)"""
    connection.execute(query, values)


def leave_out_dropped(connection: sqlite3.Connection) -> int:
    """Cut `newest` down to images that belong to the data set, and return how many do not."""
    query = """
        DELETE FROM newest WHERE id IN (
            SELECT newest.id FROM newest JOIN analyses USING (id)
            WHERE sha256 IN (SELECT sha256 FROM dropped_images))"""
    return connection.execute(query).rowcount


def leave_out_unnamed(connection: sqlite3.Connection, names: Collection[str]) -> int:
    """Cut `newest` down to images with one of these base names, and return how many names are of none."""
    connection.execute("CREATE TEMP TABLE wanted (name TEXT PRIMARY KEY)")
    connection.executemany("INSERT OR IGNORE INTO wanted VALUES (?)", [(clean(base_name(name)),) for name in names])
    connection.execute("DELETE FROM newest WHERE base_name(image) NOT IN (SELECT name FROM wanted)")
    query = "SELECT count(*) FROM wanted WHERE name NOT IN (SELECT base_name(image) FROM newest)"
    return connection.execute(query).fetchone()[0]


def count_running(connection: sqlite3.Connection, run_id: str | None) -> int:
    """Images whose newest analysis was begun and has not finished."""
    scope, values = scope_of(run_id)
    query = f"""
        SELECT count(*) FROM (
            SELECT max(id), status FROM analyses WHERE {scope} GROUP BY image, sha256) WHERE status = 'running'"""
    return connection.execute(query, values).fetchone()[0]


def scope_of(run_id: str | None) -> tuple[str, list[str]]:
    """The condition that an analysis belongs to a run, or to the whole workspace, and its values."""
    return ("1", []) if run_id is None else ("run_id = ?", [clean(run_id)])
