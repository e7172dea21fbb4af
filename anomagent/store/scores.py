"""Scores: appended, never changed; what was scored against what, by which rules, with which result."""

import json
from collections.abc import Mapping
from typing import Any

from anomagent.store.database import clean, insert_rows, now
from anomagent.store.workspace import Workspace

_SETTINGS = ("protocol", "rank_by", "thresholds", "backbone", "layer", "empty", "missing")


def save_score(workspace: Workspace, predictions: str, ground_truth: str, result: Mapping[str, Any]) -> None:
    """Append the result of an evaluation, as `evaluate --json` prints it."""
    settings = {name: result[name] for name in _SETTINGS}
    row = {
        "predictions": clean(predictions),
        "ground_truth": clean(ground_truth),
        "protocol": result["protocol"],
        "settings": _json(settings),
        "result": _json(result),
        "created": now(),
    }
    with workspace.writing() as connection:
        insert_rows(connection, "scores", [row])


def _json(value: Mapping[str, Any]) -> str:
    return json.dumps(clean(dict(value)), ensure_ascii=False)
