"""Answers of people: appended one by one, never changed; read back as they are, or as what follows from them."""

import hashlib
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
_DECIDING: Final = ("analyses", "anomalies", "selections")
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


class IdTakenError(UsageError):
    """An id that another answer has already."""


class Outcome(NamedTuple):
    """What became of an answer that somebody gave."""

    stored: bool
    """Whether it is new."""
    before: Answer | None
    """What stood before it: of an undo that which it withdraws."""


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


def give_answer(workspace: Workspace, answer: Answer, aged: bool = False) -> Outcome:
    """Append an answer as it arrives; one that is sent again is no second one.

    `aged`: it was given some time ago. Where the person has said something about the candidate since, that is appended
    again behind it: the newest that was given counts, and nothing is lost. Raises `IdTakenError` where the id belongs
    to an answer of another person, candidate or verdict, `UsageError` where there is no such candidate.
    """
    with workspace.writing() as connection:
        said = _said(connection, answer)
        if known := _sent_before(connection, answer, said):
            return known
        _insert_in_time(connection, answer, said, aged)
        return Outcome(True, _standing(said))


def withdraw_answer(workspace: Workspace, undo: Answer, withdrawn: str | None = None, aged: bool = False) -> Outcome:
    """Append an undo, whose verdict is WITHDRAWN, of the answer with the id `withdrawn`, or of whichever stands.

    Where another answer stands, or none, nothing is appended. Otherwise as `give_answer`.
    """
    with workspace.writing() as connection:
        said = _said(connection, undo)
        if known := _sent_before(connection, undo, said):
            return known
        named, standing = next((each for each in said if each.id == withdrawn), None), _standing(said)
        if standing is None:
            return Outcome(False, named)
        if withdrawn and (named is None or _content(standing) != _content(named)):
            return Outcome(False, standing)
        # An undo that names what stands was given after it, whatever the clocks say.
        _insert_in_time(connection, undo, said, aged and withdrawn is None)
        return Outcome(True, standing)


def read_answers(workspace: Workspace, after: int = 0) -> list[tuple[int, Answer]]:
    """The answers behind row `after`, each with its row: rows grow in the order in which answers arrived."""
    with workspace.reading() as connection:
        rows = select(connection, f"SELECT r.id AS row, {_ANSWER} FROM reviews r WHERE r.id > ? ORDER BY r.id", [after])
    return [(row.pop("row"), Answer.model_construct(**row)) for row in rows]


class CandidateMark(NamedTuple):
    """Where the tables are that say what the candidates are; another one: they may be others."""

    analysis: int
    anomaly: int
    selection: int


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

    def mark(self) -> CandidateMark:
        """How far analyses, candidates and selections have come; takes microseconds."""
        tables = ", ".join(f"(SELECT coalesce(max(id), 0) FROM {each})" for each in _DECIDING)
        with self._lock, store_errors(self._path):
            return CandidateMark(*self._connection.execute(f"SELECT {tables}").fetchone())


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


def _said(connection: sqlite3.Connection, answer: Answer) -> list[Answer]:
    """All that this person said of this candidate, the oldest first."""
    query = f"SELECT {_ANSWER} FROM reviews WHERE anomaly_id = ? AND annotator = ? ORDER BY reviews.id"
    _check_candidate(connection, answer.anomaly)
    rows = select(connection, query, [answer.anomaly, clean(answer.annotator)])
    return [Answer.model_construct(**row) for row in rows]


def _insert_in_time(connection: sqlite3.Connection, answer: Answer, said: Sequence[Answer], aged: bool) -> None:
    """Append an answer, and behind a late one again what was given since."""
    insert_answers(connection, [answer])
    newest = said[-1] if said else None
    # A moment in the future is another clock's mistake.
    if aged and newest and answer.created and min(newest.created or "", now()) > answer.created:
        insert_answers(connection, [_again(newest, answer)])


def _sent_before(connection: sqlite3.Connection, answer: Answer, said: Sequence[Answer]) -> Outcome | None:
    """What is to be said to an answer that is there already; None to a new one."""
    for place, each in enumerate(said):
        if each.id == answer.id and each.verdict == answer.verdict:
            return Outcome(False, _standing(said[:place]))
    if connection.execute("SELECT 1 FROM reviews WHERE answer = ?", [answer.id]).fetchone():
        raise IdTakenError(f"the id {answer.id} belongs to another answer; load the page again")
    return None


def _standing(said: Sequence[Answer]) -> Answer | None:
    return said[-1] if said and said[-1].verdict != "WITHDRAWN" else None


def _again(newest: Answer, late: Answer) -> Answer:
    """What stood, for a second time: with an id of its own, and the moment at which it was given."""
    mark = hashlib.sha256(f"{newest.id} {late.id}".encode()).hexdigest()[:32]
    return newest.model_copy(update={"id": mark})


def _content(answer: Answer) -> dict[str, object]:
    """All but the id: equal in an answer and in that which was appended again behind a late one."""
    return answer.model_dump(exclude={"id"})


def _check_candidate(connection: sqlite3.Connection, anomaly: int) -> None:
    query = "SELECT 1 FROM anomalies WHERE id = ?"
    if not 0 < anomaly <= _LARGEST or connection.execute(query, [anomaly]).fetchone() is None:
        raise UsageError(f"there is no candidate {anomaly}; answers belong to the workspace in which they were given")
