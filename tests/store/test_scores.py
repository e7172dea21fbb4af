import json
from typing import Any

import pytest

from anomagent.store import Workspace
from anomagent.store.database import select
from anomagent.store.scores import save_score

RESULT: dict[str, Any] = {
    "protocol": "paper",
    "rank_by": "listed",
    "thresholds": [0.7, 0.8, 0.9],
    "backbone": "roberta-large-mnli",
    "layer": 19,
    "empty": {"rule": "score", "both": 1},
    "missing": {"rule": "skip"},
    "SemAP": {"Full": 0.5},
}


def _rows(workspace: Workspace) -> list[dict[str, Any]]:
    with workspace.reading() as connection:
        return select(connection, "SELECT * FROM scores ORDER BY id")


def test_scores_are_appended(workspace: Workspace) -> None:
    save_score(workspace, "run-1", "t.json", RESULT)
    save_score(workspace, "run-1", "t.json", {**RESULT, "protocol": "released"})

    first, second = _rows(workspace)
    assert (first["predictions"], first["ground_truth"], first["protocol"]) == ("run-1", "t.json", "paper")
    assert json.loads(first["result"]) == RESULT
    assert json.loads(first["settings"]) == {name: RESULT[name] for name in RESULT if name != "SemAP"}
    assert second["protocol"] == "released"
    assert first["created"] <= second["created"]


def test_any_text_can_be_kept(workspace: Workspace) -> None:
    save_score(workspace, "'; DROP TABLE scores; --\ud800", "t\x00.json", {**RESULT, "failures": ["\udfff", "é"]})

    (row,) = _rows(workspace)
    assert row["predictions"] == "'; DROP TABLE scores; --?"
    assert json.loads(row["result"])["failures"] == ["?", "é"]


def test_unfinished_results_are_refused_and_nothing_is_kept(workspace: Workspace) -> None:
    with pytest.raises(KeyError, match="backbone"):
        save_score(workspace, "p", "t", {name: value for name, value in RESULT.items() if name != "backbone"})
    assert _rows(workspace) == []
