"""Steps of a data set's making: each time that one is run, what it was told and what came of it."""

import json
import sqlite3
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from anomagent.store.database import clean, now, select
from anomagent.store.workspace import Workspace


@dataclass
class DatasetStep:
    """A step that is being done; `result` becomes its row's result when it ends without an error."""

    id: int
    name: str
    result: dict[str, Any] = field(default_factory=dict[str, Any])


@contextmanager
def dataset_step(workspace: Workspace, name: str, settings: Mapping[str, Any]) -> Generator[DatasetStep]:
    """Note that a step begins, and with its result that it has ended; one that was broken off stays without an end."""
    query = "INSERT INTO dataset_steps (step, settings, started) VALUES (?, ?, ?)"
    with workspace.writing() as connection:
        number = connection.execute(query, (name, _json(settings), now())).lastrowid
    assert number is not None
    step = DatasetStep(number, name)
    yield step
    with workspace.writing() as connection:
        end_step(connection, step)


def end_step(connection: sqlite3.Connection, step: DatasetStep) -> None:
    """Note that a step has ended, and with which result, inside the transaction that holds what it did."""
    query = "UPDATE dataset_steps SET finished = ?, result = ? WHERE id = ?"
    connection.execute(query, (now(), _json(step.result), step.id))


def read_steps(workspace: Workspace) -> list[dict[str, Any]]:
    """All steps, oldest first: id, step, settings, started, finished and result (None while it is going on)."""
    with workspace.reading() as connection:
        rows = select(connection, "SELECT * FROM dataset_steps ORDER BY id")
    return [
        {**row, "settings": json.loads(row["settings"]), "result": json.loads(row["result"] or "null")} for row in rows
    ]


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(clean(dict(value)), ensure_ascii=False, default=str)
