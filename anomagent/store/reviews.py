"""Answers of people: appended one by one, never changed; read back as they are, or as what follows from them."""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from anomagent.state.reviews import Answer, Verdict
from anomagent.store.database import clean, now, select
from anomagent.store.workspace import Workspace


class Decision(NamedTuple):
    """What follows from the standing answers about one candidate; see the view `decisions`."""

    verdict: Verdict
    accepts: int
    rejects: int
    unsures: int
    adjudicated: Verdict | None


def append_answers(workspace: Workspace, answers: Iterable[Answer]) -> int:
    """Append answers, all or none, and return how many were new: one whose id is there already is left as it is."""
    with workspace.writing() as connection:
        return insert_answers(connection, answers)


def insert_answers(connection: sqlite3.Connection, answers: Iterable[Answer]) -> int:
    """The same inside a transaction."""
    query = """
        INSERT INTO reviews (answer, anomaly_id, annotator, capacity, verdict, reason, note, seconds, created)
        VALUES (:id, :anomaly, :annotator, :capacity, :verdict, :reason, :note, :seconds, :created)
        ON CONFLICT (answer) DO NOTHING"""
    rows = [clean(answer.model_dump()) | {"created": answer.created or now()} for answer in answers]
    return sum(connection.execute(query, row).rowcount for row in rows)


def read_answers(workspace: Workspace, after: int = 0) -> list[tuple[int, Answer]]:
    """The answers behind row `after`, each with its row: rows grow in the order in which answers arrived."""
    query = """
        SELECT id AS row, answer AS id, anomaly_id AS anomaly, annotator, capacity, verdict, reason, note, seconds,
               created FROM reviews WHERE reviews.id > ? ORDER BY reviews.id"""
    with workspace.reading() as connection:
        rows = select(connection, query, [after])
    return [(row.pop("row"), Answer.model_construct(**row)) for row in rows]


def read_decisions(connection: sqlite3.Connection, anomalies: Sequence[int] | None = None) -> dict[int, Decision]:
    """What follows for each candidate that has a standing answer, by its row; of all, or of `anomalies`."""
    where = "" if anomalies is None else "WHERE anomaly_id IN (SELECT value FROM json_each(?))"
    query = f"SELECT anomaly_id, verdict, accepts, rejects, unsures, adjudicated FROM decisions {where}"
    values = [] if anomalies is None else [json.dumps(list(anomalies))]
    return {row[0]: Decision(*row[1:]) for row in connection.execute(query, values)}
