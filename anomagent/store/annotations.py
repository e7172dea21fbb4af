"""The workspace's analyses as annotations: all at once, to be compared with a benchmark's, or one at a time."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations, base_name
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly, Status, UsageTotals
from anomagent.store.database import clean, select
from anomagent.store.rows import read_rows
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


class Listed(NamedTuple):
    """A finished analysis, as it is listed: once for each name of the image."""

    id: int
    image: str
    """The name under which it was analysed, or another name of the same content."""
    sha256: str
    run: str
    status: Status


class Tally(NamedTuple):
    """How much there is of one status."""

    images: int = 0
    anomalies: int = 0


@dataclass(frozen=True)
class NewestAnalyses:
    """The newest finished analysis of each image, at one moment; only the one that is looked at is in memory."""

    source: str
    """The run or the workspace, as messages name it."""
    running: int
    """Images whose newest analysis was begun and has not finished: it is going on, or was broken off."""
    _connection: sqlite3.Connection

    def tallies(self) -> dict[Status, Tally]:
        """Images and anomalies by status."""
        query = """
            SELECT status, count(*), sum((SELECT count(*) FROM anomalies WHERE analysis_id = analyses.id))
            FROM newest JOIN analyses USING (id) GROUP BY status"""
        return {status: Tally(images, anomalies) for status, images, anomalies in self._connection.execute(query)}

    def listed(self, statuses: Collection[Status]) -> Iterator[Listed]:
        """Those with one of these statuses, the oldest analysis first."""
        query = f"""
            SELECT id, newest.image, sha256, run_id, status FROM newest JOIN analyses USING (id)
            WHERE status IN ({_marks(statuses)}) ORDER BY newest.position"""
        return map(Listed._make, self._connection.execute(query, [*statuses]))

    def sharing_a_base_name(self, statuses: Collection[Status]) -> tuple[str, str] | None:
        """The names of two images with one of these statuses that have one base name, if there are such."""
        query = f"""
            SELECT min(newest.image), max(newest.image) FROM newest JOIN analyses USING (id)
            WHERE status IN ({_marks(statuses)})
            GROUP BY base_name(newest.image) HAVING count(*) > 1 ORDER BY min(newest.position) LIMIT 1"""
        return self._connection.execute(query, [*statuses]).fetchone()

    def anomalies(self, analysis_id: int) -> list[Anomaly]:
        """What this analysis reports, in its order."""
        return _anomalies(self._connection, json.dumps([analysis_id])).get(analysis_id, [])

    def result(self, listed: Listed) -> dict[str, Any]:
        """What `run --json` prints for this analysis; under another name of the image, the same at no cost."""
        query = "SELECT result FROM results WHERE analysis_id = ?"
        result = json.loads(self._connection.execute(query, (listed.id,)).fetchone()[0])
        if result["image"] == listed.image:
            return result
        return result | {"image": listed.image, "usage": UsageTotals().model_dump(), "seconds": 0.0}

    def lists(self, analysis_id: int) -> dict[str, Any]:
        """The lists of this analysis' `AnalysisResult`, by key."""
        return read_rows(self._connection, analysis_id)


@contextmanager
def reading_newest(workspace: Workspace, run_id: str | None = None, key: Key = "base") -> Generator[NewestAnalyses]:
    """The newest finished analyses of a run, or of the whole workspace, whatever others write meanwhile.

    A name stands for the content that was analysed under it last; one under which nothing was analysed, for its newest
    content: equal files are analysed once. With `key` "base", the same content under the same base name is one image,
    as for `annotations_of`; with "path" each name is one, with "sha256" each content. Raises `UsageError` where there
    is no such run or nothing was finished.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            _check_run(workspace, connection, run_id)
        source = _source(workspace, run_id)
        if not _note_newest(connection, run_id, key, further_names=True):
            raise UsageError(_nothing_in(source))
        yield NewestAnalyses(source, _running(connection, run_id), connection)


def annotations_of(workspace: Workspace, run_id: str | None = None) -> AnnotationSet:
    """What was found in each image of a run, or of the whole workspace: the newest analysis that has a result counts.

    Images are known by the name they were analysed under; the same content under the same base name is one image, in
    whatever folder it lay. An image without any result has a failure instead of a list. Raises `UsageError` where there
    is no such run or nothing was finished.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            _check_run(workspace, connection, run_id)
        _note_newest(connection, run_id, "base", further_names=False)
        query = "SELECT id, newest.image, status FROM newest JOIN analyses USING (id) ORDER BY position"
        analyses = select(connection, query)
        ids = json.dumps([row["id"] for row in analyses])
        anomalies, reasons = _anomalies(connection, ids), _reasons(connection, ids)
    source = _source(workspace, run_id)
    if not analyses:
        raise UsageError(_nothing_in(source))
    images = {row["image"]: _image(row, anomalies, reasons) for row in analyses}
    return AnnotationSet(source, images)


def _source(workspace: Workspace, run_id: str | None) -> str:
    return f"workspace {workspace.path}" if run_id is None else f"run {run_id}"


def _nothing_in(source: str) -> str:
    return f"{source}: no image is analysed yet; run some first"


def _check_run(workspace: Workspace, connection: sqlite3.Connection, run_id: str) -> None:
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (clean(run_id),)).fetchone():
        return
    last = connection.execute("SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT ?", (_SHOWN_RUNS,)).fetchall()
    known = f"the last ones are {', '.join(row[0] for row in last)}" if last else "it has none yet"
    raise UsageError(f"no run {run_id!r} in workspace {workspace.path}; {known}")


def _note_newest(connection: sqlite3.Connection, run_id: str | None, key: Key, *, further_names: bool) -> int:
    """Fill the temporary table `newest` with analyses and the images they are of, and return how many there are.

    They are the newest analysis with a result of the content that each name had last (the newest at all where none has
    a result), and of the names that are one image by `key` only the newest; a name under which it was analysed goes
    before a further one. SQLite takes the columns beside max() from the row that has it.
    """
    connection.create_function("base_name", 1, base_name, deterministic=True)
    connection.execute("CREATE TEMP TABLE newest (position INTEGER PRIMARY KEY, id INTEGER, image TEXT)")
    scope, values = _scope(run_id)
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


def _running(connection: sqlite3.Connection, run_id: str | None) -> int:
    scope, values = _scope(run_id)
    query = f"""
        SELECT count(*) FROM (
            SELECT max(id), status FROM analyses WHERE {scope} GROUP BY image, sha256) WHERE status = 'running'"""
    return connection.execute(query, values).fetchone()[0]


def _scope(run_id: str | None) -> tuple[str, list[str]]:
    """The condition that an analysis belongs to a run, or to the whole workspace, and its values."""
    return ("1", []) if run_id is None else ("run_id = ?", [clean(run_id)])


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _anomalies(connection: sqlite3.Connection, ids: str) -> Mapping[int, list[Anomaly]]:
    """The anomalies of the analyses whose ids are in a JSON list, by analysis."""
    query = """
        SELECT analysis_id, name, phenomenon, reasoning, severity, objects, support FROM anomalies
        WHERE analysis_id IN (SELECT value FROM json_each(?)) ORDER BY analysis_id, position"""
    found: defaultdict[int, list[Anomaly]] = defaultdict(list)
    for row in select(connection, query, [ids]):
        found[row.pop("analysis_id")].append(Anomaly(**{**row, "objects": json.loads(row["objects"])}))
    return found


def _reasons(connection: sqlite3.Connection, ids: str) -> Mapping[int, list[str]]:
    """What failed in the analyses whose ids are in a JSON list, by analysis."""
    query = """
        SELECT analysis_id, role, object, error, message FROM failures
        WHERE analysis_id IN (SELECT value FROM json_each(?)) ORDER BY analysis_id, position"""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in select(connection, query, [ids]):
        said = (row["role"], row["object"], row["error"], row["message"])
        found[row["analysis_id"]].append(": ".join(part for part in said if part))
    return found


def _image(
    row: Mapping[str, Any], anomalies: Mapping[int, list[Anomaly]], reasons: Mapping[int, list[str]]
) -> ImageAnnotations:
    if row["status"] == "failed":
        failure = "; ".join(reasons.get(row["id"], [])) or "failed, no reason recorded"
        return ImageAnnotations(row["image"], failure=failure)
    partial = "; ".join(reasons.get(row["id"], [])) if row["status"] == "partial" else None
    return ImageAnnotations(row["image"], tuple(anomalies.get(row["id"], ())), partial=partial)
