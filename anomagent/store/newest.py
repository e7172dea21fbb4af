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
"""Names of contents that are equal in these are one image."""
_BEST: Final[Mapping[Key, str]] = {
    "base": "id DESC, made DESC, analysed DESC, image",
    "path": "analysed DESC, since DESC, sha256",
    "sha256": "id DESC, made DESC, analysed DESC, image",
}
"""Which of the names of one image stands for it; with "path" it is the content that counts, of which the first does."""
_NAMELESS: Final = "<image>"
"""What an image is called that came without a name."""
_FINISHED: Final = "status != 'running'"
_BEYOND_IDS: Final = 10**12
_DECIDED: Final = "id IN (SELECT analysis_id FROM anomalies JOIN decided ON anomaly_id = anomalies.id)"


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


def note_newest(
    connection: sqlite3.Connection, run_id: str | None, key: Key, *, further_names: bool, reviewed: bool = False
) -> int:
    """Fill the temporary table `newest` with analyses and the images they are of, and return how many there are.

    Of each content under each of its names the newest analysis with a result counts (the newest at all where none has
    one); a further name, under which it was not analysed, stands for the newest of its content. Names and contents
    that are one image by `key` are one row: with "path" the content that the name had last, else the newest analysis.

    `reviewed`: all names of a content have one analysis, the newest of which people decided something; where there is
    none of these, the newest with a result. Needs `note_decided`.
    """
    connection.create_function("base_name", 1, base_name, deterministic=True)
    connection.execute("CREATE TEMP TABLE newest (position INTEGER PRIMARY KEY, id INTEGER, image TEXT)")
    scope, values = scope_of(run_id)
    decided = f"+ 2 * ({_DECIDED})" if reviewed else ""
    own = "contents.id" if reviewed else f"max(rank) % {_BEYOND_IDS}"
    query = f"""
        INSERT INTO newest (id, image)
        WITH finished AS MATERIALIZED (
            SELECT id, image, sha256, id + {_BEYOND_IDS} * ((status != 'failed') {decided}) AS rank
            FROM analyses WHERE {_FINISHED} AND {scope}),
        contents AS MATERIALIZED (SELECT max(rank) % {_BEYOND_IDS} AS id, sha256 FROM finished GROUP BY sha256),
        own AS MATERIALIZED (
            SELECT {own} AS id, image, sha256, max(finished.id) AS since, max(finished.id = contents.id) AS made
            FROM finished JOIN contents USING (sha256) GROUP BY sha256, image),
        named AS (
            SELECT id, image, sha256, since, made, 1 AS analysed FROM own
            UNION ALL
            SELECT id, name, sha256, first_seen, 0, 0 FROM image_names JOIN contents USING (sha256)
            WHERE ? AND name != '{_NAMELESS}' AND (sha256, name) NOT IN (SELECT sha256, image FROM own)),
        ranked AS (
            SELECT *, row_number() OVER (PARTITION BY {_ONE_IMAGE[key]} ORDER BY {_BEST[key]}) AS place FROM named)
        SELECT id, image FROM ranked WHERE place = 1 ORDER BY id, made DESC, analysed DESC, image"""
    return connection.execute(query, [*values, further_names]).rowcount


def note_decided(connection: sqlite3.Connection) -> None:
    """Fill the temporary table `decided` with what people decided of which candidate."""
    connection.execute("CREATE TEMP TABLE decided (anomaly_id INTEGER PRIMARY KEY, verdict TEXT NOT NULL)")
    connection.execute("INSERT INTO decided SELECT anomaly_id, verdict FROM decisions")


def count_superseded(connection: sqlite3.Connection, run_id: str | None) -> int:
    """Images of `newest` whose content has a newer analysis with a result, of which nobody has decided anything."""
    scope, values = scope_of(run_id)
    query = f"""
        SELECT count(*) FROM newest JOIN analyses a USING (id) WHERE EXISTS (
            SELECT 1 FROM analyses
            WHERE sha256 = a.sha256 AND id > a.id AND status IN ('ok', 'partial') AND {scope})"""
    return connection.execute(query, values).fetchone()[0]


def count_hidden(connection: sqlite3.Connection, run_id: str | None, *, kept: bool) -> int:
    """Contents that have an analysis and are not in `newest`: another content has each of their names by now."""
    scope, values = scope_of(run_id)
    dropped = "AND sha256 NOT IN (SELECT sha256 FROM dropped_images)" if kept else ""
    query = f"""
        SELECT count(DISTINCT sha256) FROM analyses
        WHERE {_FINISHED} AND {scope} {dropped}
          AND sha256 NOT IN (SELECT sha256 FROM newest JOIN analyses USING (id))"""
    return connection.execute(query, values).fetchone()[0]


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
