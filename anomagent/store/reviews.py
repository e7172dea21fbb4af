"""Answers of people: appended one by one, never changed; read back as they are, or as what follows from them."""

import sqlite3
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import Final, NamedTuple
from weakref import finalize

from anomagent.errors import UsageError
from anomagent.state.reviews import Answer, Capacity, Verdict, Withdrawn
from anomagent.store.database import clean, connect, now, select, store_errors
from anomagent.store.workspace import Workspace

_ANSWER: Final = """
    answer AS id, anomaly_id AS anomaly, annotator, capacity, verdict, reason, note, seconds, created"""
_LOOKED_UP: Final = 2_000
"""Up to so many candidates are looked up one at a time; of more, all decisions are read at once."""
_LARGEST: Final = (1 << 63) - 1


class Decision(NamedTuple):
    """What follows from the standing answers about one candidate; see the view `decisions`."""

    verdict: Verdict
    accepts: int
    rejects: int
    unsures: int
    adjudicated: Verdict | None


class Given(NamedTuple):
    """What counts of an answer, and the row in which it arrived."""

    row: int
    anomaly: int
    annotator: str
    verdict: Verdict | Withdrawn
    capacity: Capacity


def append_answers(workspace: Workspace, answers: Iterable[Answer]) -> int:
    """Append answers, all or none, and return how many were new: one whose id is there already is left as it is.

    Raises `UsageError` where one is about a candidate that is not in the workspace.
    """
    with workspace.writing() as connection:
        return insert_answers(connection, answers)


def insert_answers(connection: sqlite3.Connection, answers: Iterable[Answer]) -> int:
    """As `append_answers`, inside a transaction that is open."""
    query = """
        INSERT INTO reviews (answer, anomaly_id, annotator, capacity, verdict, reason, note, seconds, created)
        VALUES (:id, :anomaly, :annotator, :capacity, :verdict, :reason, :note, :seconds, :created)
        ON CONFLICT (answer) DO NOTHING"""
    new = 0
    for answer in answers:
        _check_candidate(connection, answer.anomaly)
        row = clean(answer.model_dump()) | {"created": answer.created or now()}
        new += connection.execute(query, row).rowcount
    return new


def read_answers(workspace: Workspace, after: int = 0) -> list[tuple[int, Answer]]:
    """The answers behind row `after`, each with its row: rows grow in the order in which answers arrived."""
    with workspace.reading() as connection:
        rows = select(connection, f"SELECT r.id AS row, {_ANSWER} FROM reviews r WHERE r.id > ? ORDER BY r.id", [after])
    return [(row.pop("row"), Answer.model_construct(**row)) for row in rows]


class AnswerFeed:
    """Reads answers as they arrive, from any thread, over one connection that stays open.

    While a connection is open, closing another one does not empty SQLite's log onto the disk: on a workspace that
    nobody else has open, every answer would wait for that.
    """

    def __init__(self, workspace: Workspace) -> None:
        """Raises `StoreError` where the workspace cannot be read."""
        self._path, self._lock = workspace.path, Lock()
        with store_errors(workspace.path):
            self._connection = connect(workspace.database_path)
        finalize(self, self._connection.close)

    def read(self, after: int = 0) -> list[Given]:
        """What counts of the answers behind row `after`, in the order in which they arrived."""
        query = "SELECT id, anomaly_id, annotator, verdict, capacity FROM reviews WHERE id > ? ORDER BY id"
        with self._lock, store_errors(self._path):
            return [Given(*row) for row in self._connection.execute(query, [after])]


def read_standing(workspace: Workspace, annotator: str, anomaly: int) -> Answer | None:
    """The standing answer of a person about a candidate; None where there is none, or it was withdrawn."""
    query = f"SELECT {_ANSWER} FROM verdicts WHERE anomaly_id = ? AND annotator = ?"
    with workspace.reading() as connection:
        rows = select(connection, query, [anomaly, clean(annotator)])
    return Answer.model_construct(**rows[0]) if rows else None


def read_decisions(connection: sqlite3.Connection, anomalies: Sequence[int] | None = None) -> dict[int, Decision]:
    """What follows for each candidate that has a standing answer, by its row; of all, or of `anomalies`."""
    query = "SELECT anomaly_id, verdict, accepts, rejects, unsures, adjudicated FROM decisions"
    if anomalies is None or len(anomalies) > _LOOKED_UP:
        wanted = None if anomalies is None else set(anomalies)
        rows = connection.execute(query)
        return {row[0]: Decision(*row[1:]) for row in rows if wanted is None or row[0] in wanted}
    found = (connection.execute(f"{query} WHERE anomaly_id = ?", [each]).fetchone() for each in anomalies)
    return {row[0]: Decision(*row[1:]) for row in found if row}


def _check_candidate(connection: sqlite3.Connection, anomaly: int) -> None:
    query = "SELECT 1 FROM anomalies WHERE id = ?"
    if not 0 < anomaly <= _LARGEST or connection.execute(query, [anomaly]).fetchone() is None:
        raise UsageError(f"there is no candidate {anomaly}; answers belong to the workspace in which they were given")
