"""Candidates and what people said of them, as they leave for other tools and come back."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from pathlib import Path
from typing import Any, Final, NamedTuple

from anomagent.benchmark.kinds import KINDS, Kind, kind_of
from anomagent.errors import StoreError, UsageError
from anomagent.state.findings import Anomaly
from anomagent.state.reviews import Answer
from anomagent.store.candidates import UNKNOWN_KIND, read_candidates, save_kinds
from anomagent.store.database import select
from anomagent.store.newest import check_run, leave_out_dropped, note_newest, nothing_in, source_of
from anomagent.store.reviews import insert_answers
from anomagent.store.workspace import Workspace

_CANDIDATES: Final = """
    SELECT n.id, a.sha256, a.image, a.run_id AS run, i.path, i.width, i.height, n.name, n.phenomenon, n.reasoning,
           n.severity, n.objects, n.support,
           (SELECT source FROM image_facts WHERE sha256 = a.sha256) AS source
    FROM anomalies n JOIN analyses a ON a.id = n.analysis_id JOIN images i ON i.sha256 = a.sha256"""
_ANSWERS: Final = """
    SELECT answer AS id, anomaly_id AS anomaly, annotator, capacity, verdict, reason, note, seconds, created"""


class Box(NamedTuple):
    """Where an object is, in pixels of the upright image."""

    sha256: str
    object: str
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass(frozen=True)
class ExchangedCandidate:
    """A candidate with all that another tool shows of it."""

    id: int
    """Its row in `anomalies`."""
    sha256: str
    image: str
    """The name under which the image was analysed."""
    path: Path
    """Where the image's copy lies."""
    width: int
    """Pixels, upright."""
    height: int
    run: str
    source: str | None
    """The generator or collection that a manifest names."""
    anomaly: Anomaly

    @cached_property
    def content(self) -> str:
        """A hash of the image and of all that people judge: answers count for this content and for no other."""
        texts = (self.anomaly.name, self.anomaly.phenomenon, self.anomaly.reasoning, self.anomaly.severity)
        return hashlib.sha256(json.dumps([self.sha256, *texts]).encode()).hexdigest()[:32]


@dataclass(frozen=True)
class ReviewReading:
    """Candidates and answers at one moment."""

    workspace: Workspace
    run_id: str | None
    _connection: sqlite3.Connection

    def candidates(self, answered: bool) -> Iterator[ExchangedCandidate]:
        """Those of the newest analyses of the data set's images; and, with `answered`, all that ever had an answer."""
        query = f"""{_CANDIDATES}
            WHERE a.id IN (SELECT id FROM newest)
               OR (? AND n.id IN (SELECT anomaly_id FROM reviews) AND (? IS NULL OR a.run_id = ?))
            ORDER BY n.id"""
        cursor = self._connection.execute(query, (answered, self.run_id, self.run_id))
        return _candidates(cursor, self.workspace)

    def answers(self, candidate: int) -> list[tuple[int, Answer]]:
        """Everything that was said of a candidate, each with its row, in the order in which it arrived."""
        query = f"{_ANSWERS}, id AS row FROM reviews WHERE anomaly_id = ? ORDER BY reviews.id"
        rows = select(self._connection, query, [candidate])
        return [(row.pop("row"), Answer.model_construct(**row)) for row in rows]

    def standing(self, candidate: int) -> list[Answer]:
        """The newest answer of each person about a candidate, but for those that were withdrawn."""
        return [answer for _, answer in self.standing_rows(candidate)]

    def standing_rows(self, candidate: int) -> list[tuple[int, Answer]]:
        """The same, each with its row, in the order in which they arrived."""
        newest = {answer.annotator: (row, answer) for row, answer in self.answers(candidate)}
        return sorted((each for each in newest.values() if each[1].verdict != "WITHDRAWN"), key=itemgetter(0))

    def all_standing(self) -> Iterator[tuple[ExchangedCandidate, list[Answer]]]:
        """The candidates that have standing answers, with these, whether or not their analysis is the newest."""
        query = f"""{_CANDIDATES}
            WHERE n.id IN (SELECT anomaly_id FROM reviews) AND (? IS NULL OR a.run_id = ?) ORDER BY n.id"""
        cursor = self._connection.execute(query, (self.run_id, self.run_id))
        for candidate in _candidates(cursor, self.workspace):
            if standing := self.standing(candidate.id):
                yield candidate, standing

    def boxes(self, sha256: str) -> list[Box]:
        """Where objects of an image are known to be."""
        query = "SELECT sha256, object, x0, y0, x1, y1 FROM object_boxes WHERE sha256 = ? ORDER BY object"
        return [Box(*row) for row in self._connection.execute(query, (sha256,))]


@contextmanager
def reading_review(workspace: Workspace, run_id: str | None = None) -> Generator[ReviewReading]:
    """The candidates and answers of a run, or of the whole workspace, whatever others write meanwhile.

    Raises `UsageError` where there is no such run or nothing was analysed.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            check_run(workspace, connection, run_id)
        if not note_newest(connection, run_id, "sha256", further_names=True):
            raise UsageError(nothing_in(source_of(workspace, run_id)))
        leave_out_dropped(connection)
        yield ReviewReading(workspace, run_id, connection)


@contextmanager
def classifying(workspace: Workspace, run_id: str | None = None) -> Generator[Callable[[ExchangedCandidate], Kind]]:
    """What tells a candidate's kind: reading it off the texts takes a millisecond, so it is kept for the next time."""
    table = read_candidates(workspace, run_id)
    known = {number: kind for number, kind in zip(table.ids, table.kinds, strict=True) if kind != UNKNOWN_KIND}
    fresh: dict[int, Kind] = {}

    def classify(candidate: ExchangedCandidate) -> Kind:
        if candidate.id in known:
            return KINDS[known[candidate.id]]
        return fresh.setdefault(candidate.id, kind_of(candidate.anomaly))

    yield classify
    if fresh:
        with suppress(StoreError):  # nobody asked for this: without it the next time only takes as long again
            save_kinds(workspace, fresh)


def find_candidates(workspace: Workspace, ids: Iterable[int]) -> Iterator[ExchangedCandidate]:
    """The candidates with these ids, whichever there are."""
    with workspace.reading() as connection:
        query = f"{_CANDIDATES} WHERE n.id IN (SELECT value FROM json_each(?))"
        cursor = connection.execute(query, [json.dumps(sorted(set(ids)))])
        yield from _candidates(cursor, workspace)


def find_answers(workspace: Workspace, ids: Iterable[str]) -> dict[str, Answer]:
    """The answers with these ids, whichever there are."""
    with workspace.reading() as connection:
        query = f"{_ANSWERS} FROM reviews WHERE answer IN (SELECT value FROM json_each(?))"
        return {answer.id: answer for answer in _answers(connection, query, [json.dumps(sorted(set(ids)))])}


def newest_answers(workspace: Workspace, candidates: Iterable[int]) -> dict[tuple[int, str], Answer]:
    """What each person last said of each of these candidates, withdrawals too."""
    query = f"""{_ANSWERS} FROM reviews
        WHERE id IN (SELECT max(id) FROM reviews WHERE anomaly_id IN (SELECT value FROM json_each(?))
                     GROUP BY anomaly_id, annotator)"""
    with workspace.reading() as connection:
        newest = _answers(connection, query, [json.dumps(sorted(set(candidates)))])
        return {(answer.anomaly, answer.annotator): answer for answer in newest}


def find_people(workspace: Workspace) -> frozenset[str]:
    """Everybody who ever answered here."""
    with workspace.reading() as connection:
        return frozenset(name for (name,) in connection.execute("SELECT DISTINCT annotator FROM reviews"))


def add_answers(workspace: Workspace, answers: Sequence[Answer], boxes: Sequence[Box]) -> tuple[int, int]:
    """Append answers, and boxes of objects that have none yet; all or nothing. Returns how many of each are new."""
    query = "INSERT INTO object_boxes VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
    with workspace.writing() as connection:
        return insert_answers(connection, answers), sum(connection.execute(query, box).rowcount for box in boxes)


def _candidates(cursor: sqlite3.Cursor, workspace: Workspace) -> Iterator[ExchangedCandidate]:
    names = [column[0] for column in cursor.description]
    for values in cursor:
        yield _candidate(dict(zip(names, values, strict=True)), workspace)


def _candidate(row: Mapping[str, Any], workspace: Workspace) -> ExchangedCandidate:
    said = {key: row[key] for key in ("name", "phenomenon", "reasoning", "severity", "support")}
    about = {key: row[key] for key in ("id", "sha256", "image", "width", "height", "run", "source")}
    anomaly = Anomaly(**said, objects=json.loads(row["objects"]))
    return ExchangedCandidate(**about, path=workspace.path / row["path"], anomaly=anomaly)


def _answers(connection: sqlite3.Connection, query: str, values: Sequence[object]) -> list[Answer]:
    return [Answer.model_construct(**row) for row in select(connection, query, values)]
