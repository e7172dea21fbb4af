"""Predictions as rows: what a model said alone about each image, and how that ended."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, cast

from anomagent.state.findings import Anomaly, Status
from anomagent.store.database import clean, insert_rows, now, select
from anomagent.store.workspace import Workspace

_COLUMNS = "image, sha256, status, entries, answer, p_yes, description, error, message, text, slot"


@dataclass(frozen=True)
class Prediction:
    """What is known of one image under one configuration."""

    image: str
    """The image as it was named."""
    sha256: str | None
    """None: the file could not be read."""
    status: Status
    """ok (an empty list included), partial (entries of the list could not be read) or failed (there is no list)."""
    anomalies: tuple[Anomaly, ...] = ()
    answer: str | None = None
    """Deepfake detection: the answer to "is this image AI-generated?"; it stands even where the list failed."""
    p_yes: float | None = None
    """Probability of yes against no, 0 to 1, as the first word of `answer`; None: the model did not say."""
    description: str | None = None
    """Deepfake detection: what a real image shows."""
    error: str | None = None
    """What kind of failure it is, where it failed or is partial: a code of `anomagent.errors` or our own."""
    message: str | None = None
    text: str = ""
    """The last answer as it came."""
    slot: int = 0
    """Which sample `text` is: the next one is asked where an answer cannot be read and is to be tried again."""


@dataclass(frozen=True)
class PredictionSet:
    """What was asked of which model; `configuration` is the hash of all that decides it."""

    configuration: str
    name: str
    """What the user calls the predictions; equal configurations may have several names."""
    task: str
    model: str
    settings: Mapping[str, Any]


def save_predictions(workspace: Workspace, described: PredictionSet, predictions: Sequence[Prediction]) -> None:
    """Append predictions in one transaction; those that are there already as the newest are not written again."""
    with workspace.writing() as connection:
        about = {
            "configuration": described.configuration,
            "task": described.task,
            "model": described.model,
            "settings": json.dumps(dict(described.settings), ensure_ascii=False),
            "created": now(),
        }
        insert_rows(connection, "prediction_sets", [about], ignore=True)
        rows = [
            _row(described, one) for one in predictions if one != _newest(connection, described, "image", one.image)
        ]
        if rows:
            insert_rows(connection, "predictions", rows)


def find_prediction(workspace: Workspace, configuration: str, sha256: str) -> Prediction | None:
    """The newest prediction about this content under a configuration, whatever the image was called."""
    with workspace.reading() as connection:
        return _find(connection, configuration, "sha256", sha256)


def read_predictions(workspace: Workspace, configuration: str, images: Iterable[str]) -> Iterator[Prediction]:
    """The newest prediction of each of the images, in their order; images without one are left out."""
    with workspace.reading() as connection:
        for image in images:
            if found := _find(connection, configuration, "image", clean(image)):
                yield replace(found, image=image)


def _newest(connection: sqlite3.Connection, described: PredictionSet, column: str, value: str) -> Prediction | None:
    return _find(connection, described.configuration, column, clean(value))


def _find(connection: sqlite3.Connection, configuration: str, column: str, value: str) -> Prediction | None:
    query = f"SELECT {_COLUMNS} FROM predictions WHERE configuration = ? AND {column} = ? ORDER BY id DESC LIMIT 1"
    rows = select(connection, query, (configuration, value))
    if not rows:
        return None
    row = rows[0]
    entries = cast(list[dict[str, Any]], json.loads(row.pop("entries")))
    return Prediction(**row, anomalies=tuple(Anomaly.model_validate(entry) for entry in entries))


def _row(described: PredictionSet, one: Prediction) -> dict[str, Any]:
    entries = [anomaly.model_dump(include={"name", "phenomenon", "reasoning", "severity"}) for anomaly in one.anomalies]
    return clean(
        {
            "name": described.name,
            "image": one.image,
            "sha256": one.sha256,
            "model": described.model,
            "task": described.task,
            "text": one.text,
            "entries": json.dumps(entries, ensure_ascii=False),
            "created": now(),
            "configuration": described.configuration,
            "status": one.status,
            "error": one.error,
            "message": one.message,
            "answer": one.answer,
            "p_yes": one.p_yes,
            "description": one.description,
            "slot": one.slot,
        }
    )
