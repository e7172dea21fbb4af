"""The analyses that count, at one moment: listed, counted, cut down, and their anomalies one image at a time."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly, Status, UsageTotals
from anomagent.store.database import clean, select
from anomagent.store.rows import read_rows

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


class Cut(NamedTuple):
    """Images that were cut off, each counted for one reason."""

    described: int
    """Real ones with a description; or all but these, where they are what is looked at."""
    unassigned: int
    """In no part of the split."""


_OPEN: Final = """
    SELECT analysis_id FROM anomalies LEFT JOIN decided ON anomaly_id = anomalies.id
    WHERE coalesce(verdict, 'UNSURE') = 'UNSURE'"""
"""Analyses with a candidate that nobody has decided yet, or of which nobody is sure."""


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
    superseded: int
    """With `accepted`: images of which a reviewed analysis is taken, though a newer one exists that nobody reviewed."""
    hidden: int
    """Contents that are not looked at: another content has each of their names by now."""
    accepted: bool
    """Whether `anomalies` and `result` tell of accepted candidates alone."""
    _connection: sqlite3.Connection

    def tallies(self, part: Part = None) -> dict[Status, Tally]:
        """Images, candidates and decisions by status."""
        scope, values = _in_part(part)
        query = f"""
            SELECT status, count(*), sum(candidates), sum(accepted), sum(rejected), sum(unsure)
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
        """The parts of a split, training first. Raises `UsageError` where there is no such split."""
        query = "SELECT part FROM splits WHERE split = ? GROUP BY part ORDER BY part != 'train', part"
        if parts := [row[0] for row in self._connection.execute(query, [clean(split)])]:
            return parts
        rows = self._connection.execute("SELECT DISTINCT split FROM splits ORDER BY split")
        known = ", ".join(row[0] for row in rows) or "it has none yet"
        raise UsageError(f"no split {split!r} in {self.source}; known: {known}")

    def keep(self, statuses: Collection[Status], *, described: bool | None = None, split: str | None = None) -> Cut:
        """Look from now on only at images with one of these statuses, and count what is cut off for other reasons.

        `described`: real images with a description alone, or all but these; `split`: images in one of its parts.
        """
        self._delete(f"id NOT IN (SELECT id FROM analyses WHERE status IN ({_marks(statuses)}))", statuses)
        real = "EXISTS (SELECT 1 FROM findings WHERE analysis_id = newest.id AND kind = 'description')"
        other = 0 if described is None else self._delete(f"NOT {real}" if described else real)
        placed = "SELECT analyses.id FROM analyses JOIN splits USING (sha256) WHERE split = ?"
        unassigned = 0 if split is None else self._delete(f"id NOT IN ({placed})", [clean(split)])
        return Cut(other, unassigned)

    def leave_out_open(self) -> int:
        """Look no more at images with a candidate that is undecided, and return how many they are."""
        return self._delete(f"id IN ({_OPEN})")

    def count_open(self) -> int:
        """Images with a candidate that nobody has decided yet, or of which nobody is sure."""
        return self.query(f"SELECT count(*) FROM newest WHERE id IN ({_OPEN})").fetchone()[0]

    def is_open(self, analysis_id: int) -> bool:
        """Whether a candidate of this analysis is undecided."""
        return self.query(f"{_OPEN} AND analysis_id = ? LIMIT 1", [analysis_id]).fetchone() is not None

    def description(self, analysis_id: int) -> str | None:
        """Of a real image: why it looks real."""
        query = "SELECT item ->> 'text' FROM findings WHERE analysis_id = ? AND kind = 'description'"
        row = self.query(query, [analysis_id]).fetchone()
        return row[0] if row else None

    def anomalies(self, analysis_id: int) -> list[Anomaly]:
        """What this analysis reports, in its order; of it what was accepted, where that is asked for."""
        return read_anomalies(self._connection, json.dumps([analysis_id]), self.accepted).get(analysis_id, [])

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

    def _delete(self, condition: str, values: Collection[object] = ()) -> int:
        return self.query(f"DELETE FROM newest WHERE {condition}", values).rowcount


def read_anomalies(connection: sqlite3.Connection, ids: str, accepted: bool) -> Mapping[int, list[Anomaly]]:
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


def _in_part(part: Part) -> tuple[str, list[str]]:
    """The condition that an analysis' image is in a part of a split, and its values."""
    if part is None:
        return "1", []
    return "sha256 IN (SELECT sha256 FROM splits WHERE split = ? AND part = ?)", [*part]


def _marks(values: Collection[object]) -> str:
    return ", ".join("?" * len(values))
