"""The workspace's analyses as annotations: all at once, to be compared with a benchmark's, or one at a time."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly, Status, UsageTotals
from anomagent.store.database import select
from anomagent.store.newest import (
    Key,
    check_run,
    count_running,
    leave_out_dropped,
    leave_out_unnamed,
    note_decided,
    note_newest,
    nothing_in,
    prefer_reviewed,
    source_of,
)
from anomagent.store.rows import read_rows
from anomagent.store.workspace import Workspace

__all__ = ["Key", "Listed", "NewestAnalyses", "Part", "Tally", "annotations_of", "reading_newest"]

Part = tuple[str, str] | None
"""A split's name and one of its parts; None: all images."""


class Listed(NamedTuple):
    """A finished analysis, as it is listed: once for each name of the image."""

    id: int
    image: str
    """The name under which it was analysed, or another name of the same content."""
    sha256: str
    run: str
    status: Status


class Tally(NamedTuple):
    """How much there is of one status. Of the candidates, what people decided, or that they did not yet."""

    images: int = 0
    candidates: int = 0
    accepted: int = 0
    rejected: int = 0
    unsure: int = 0
    open_images: int = 0
    """Images with a candidate that nobody has decided yet, or of which nobody is sure."""


@dataclass(frozen=True)
class NewestAnalyses:
    """The newest finished analysis of each image, at one moment; only the one that is looked at is in memory."""

    source: str
    """The run or the workspace, as messages name it."""
    running: int
    """Images whose newest analysis was begun and has not finished: it is going on, or was broken off."""
    dropped: int
    """Images that were filtered out of the data set."""
    unknown: int
    """Of the names that were asked for: how many are of no image."""
    decided: int
    """Candidates of the workspace about which somebody's answer stands."""
    accepted: bool
    """Whether `anomalies` and `result` tell of accepted candidates alone."""
    _connection: sqlite3.Connection

    def tallies(self, part: Part = None) -> dict[Status, Tally]:
        """Images, candidates and decisions by status."""
        scope, values = _in_part(part)
        query = f"""
            SELECT status, count(*), sum(candidates), sum(accepted), sum(rejected), sum(unsure),
                   sum(candidates > accepted + rejected)
            FROM (
                SELECT status, count(anomalies.id) AS candidates, total(verdict = 'ACCEPT') AS accepted,
                       total(verdict = 'REJECT') AS rejected, total(verdict = 'UNSURE') AS unsure
                FROM newest JOIN analyses USING (id) LEFT JOIN anomalies ON analysis_id = newest.id
                LEFT JOIN decided ON anomaly_id = anomalies.id WHERE {scope} GROUP BY newest.position)
            GROUP BY status"""
        return {status: Tally(*map(int, rest)) for status, *rest in self._connection.execute(query, values)}

    def listed(self, statuses: Collection[Status], part: Part = None) -> Iterator[Listed]:
        """Those with one of these statuses, the oldest analysis first."""
        scope, values = _in_part(part)
        query = f"""
            SELECT id, newest.image, sha256, run_id, status FROM newest JOIN analyses USING (id)
            WHERE status IN ({_marks(statuses)}) AND {scope} ORDER BY newest.position"""
        return map(Listed._make, self._connection.execute(query, [*statuses, *values]))

    def sharing_a_base_name(self, statuses: Collection[Status]) -> tuple[str, str] | None:
        """The names of two images with one of these statuses that have one base name, if there are such."""
        query = f"""
            SELECT min(newest.image), max(newest.image) FROM newest JOIN analyses USING (id)
            WHERE status IN ({_marks(statuses)})
            GROUP BY base_name(newest.image) HAVING count(*) > 1 ORDER BY min(newest.position) LIMIT 1"""
        return self._connection.execute(query, [*statuses]).fetchone()

    def parts(self, split: str) -> list[str]:
        """The parts of a split, training first."""
        query = "SELECT part FROM splits WHERE split = ? GROUP BY part ORDER BY part != 'train', part"
        return [row[0] for row in self._connection.execute(query, [split])]

    def splits(self) -> list[str]:
        """The names of all splits."""
        return [row[0] for row in self._connection.execute("SELECT DISTINCT split FROM splits ORDER BY split")]

    def anomalies(self, analysis_id: int) -> list[Anomaly]:
        """What this analysis reports, in its order; of it what was accepted, where that is asked for."""
        return _anomalies(self._connection, json.dumps([analysis_id]), self.accepted).get(analysis_id, [])

    def result(self, listed: Listed) -> dict[str, Any]:
        """What `run --json` prints for this analysis; under another name of the image, the same at no cost."""
        query = "SELECT result FROM results WHERE analysis_id = ?"
        result = json.loads(self._connection.execute(query, (listed.id,)).fetchone()[0])
        if self.accepted:
            result["anomalies"] = [anomaly.model_dump() for anomaly in self.anomalies(listed.id)]
        if result["image"] == listed.image:
            return result
        return result | {"image": listed.image, "usage": UsageTotals().model_dump(), "seconds": 0.0}

    def lists(self, analysis_id: int) -> dict[str, Any]:
        """The lists of this analysis' `AnalysisResult`, by key: what was said, whatever people made of it."""
        return read_rows(self._connection, analysis_id)

    def query(self, text: str, values: Collection[object] = ()) -> sqlite3.Cursor:
        """For modules of the store: a query that may use the temporary tables `newest` and `decided`."""
        return self._connection.execute(text, [*values])


@contextmanager
def reading_newest(
    workspace: Workspace,
    run_id: str | None = None,
    key: Key = "base",
    *,
    accepted: bool = False,
    kept: bool = False,
    names: Collection[str] | None = None,
) -> Generator[NewestAnalyses]:
    """The newest finished analyses of a run, or of the whole workspace, whatever others write meanwhile.

    A name stands for the content that was analysed under it last; one under which nothing was analysed, for its newest
    content: equal files are analysed once. With `key` "base", the same content under the same base name is one image,
    as for `annotations_of`; with "path" each name is one, with "sha256" each content. `accepted`: anomalies are those
    that people accepted; a name whose own candidates nobody has seen then has those of its content. `kept`: images
    that belong to the data set; `names`: images with one of these base names. Raises `UsageError` where there is no
    such run or nothing was finished.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            check_run(workspace, connection, run_id)
        source = source_of(workspace, run_id)
        if not note_newest(connection, run_id, key, further_names=True):
            raise UsageError(nothing_in(source))
        decided = note_decided(connection)
        if accepted:
            prefer_reviewed(connection, run_id)
        dropped = leave_out_dropped(connection) if kept else 0
        unknown = 0 if names is None else leave_out_unnamed(connection, names)
        running = count_running(connection, run_id)
        yield NewestAnalyses(source, running, dropped, unknown, decided, accepted, connection)


def annotations_of(
    workspace: Workspace, run_id: str | None = None, *, accepted: bool = False, kept: bool = False
) -> AnnotationSet:
    """What was found in each image of a run, or of the whole workspace: the newest analysis that has a result counts.

    Images are known by the name they were analysed under; the same content under the same base name is one image, in
    whatever folder it lay. An image without any result has a failure instead of a list. `accepted`: only what people
    accepted; `kept`: only images that belong to the data set. Raises `UsageError` where there is no such run or
    nothing was finished.
    """
    source = source_of(workspace, run_id)
    with workspace.reading() as connection:
        if run_id is not None:
            check_run(workspace, connection, run_id)
        if not note_newest(connection, run_id, "base", further_names=False):
            raise UsageError(nothing_in(source))
        if accepted:
            note_decided(connection)
            prefer_reviewed(connection, run_id)
        if kept:
            leave_out_dropped(connection)
        query = "SELECT id, newest.image, status FROM newest JOIN analyses USING (id) ORDER BY position"
        analyses = select(connection, query)
        ids = json.dumps([row["id"] for row in analyses])
        anomalies, reasons = _anomalies(connection, ids, accepted), _reasons(connection, ids)
    images = {row["image"]: _image(row, anomalies, reasons) for row in analyses}
    return AnnotationSet(source, images)


def _in_part(part: Part) -> tuple[str, list[str]]:
    """The condition that an analysis' image is in a part of a split, and its values."""
    if part is None:
        return "1", []
    return "sha256 IN (SELECT sha256 FROM splits WHERE split = ? AND part = ?)", [*part]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))


def _anomalies(connection: sqlite3.Connection, ids: str, accepted: bool) -> Mapping[int, list[Anomaly]]:
    """The anomalies of the analyses whose ids are in a JSON list, by analysis."""
    accept = "EXISTS (SELECT 1 FROM decided WHERE anomaly_id = anomalies.id AND verdict = 'ACCEPT')"
    which = accept if accepted else "1"
    query = f"""
        SELECT analysis_id, name, phenomenon, reasoning, severity, objects, support FROM anomalies
        WHERE analysis_id IN (SELECT value FROM json_each(?)) AND {which} ORDER BY analysis_id, position"""
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
