from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path

import psycopg
import pytest
from PIL import Image

from anomagent.state.findings import Anomaly
from anomagent.store import Workspace, ingest_image, migrations
from anomagent.store.database import insert_rows, select
from anomagent.store.ledger import SqliteLedger
from anomagent.store.postgres_ledger import PostgresLedger
from anomagent.store.predictions import (
    Prediction,
    PredictionSet,
    find_prediction,
    read_predictions,
    save_predictions,
)
from tests.postgres_server import running_server
from tests.store.helpers import attempt

SET = PredictionSet("c1", "mine", "deepfake", "fake", {"task": "deepfake"})
FLOATS = Anomaly(name="cup", phenomenon="it floats", reasoning="nothing carries it", severity=5)


@pytest.fixture
def sha256(workspace: Workspace, tmp_path: Path) -> str:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    return ingest_image(workspace, path)["sha256"]


def test_everything_comes_back(workspace: Workspace, sha256: str) -> None:
    full = Prediction(
        "a.png", sha256, "partial", (FLOATS,), "No", 0.25, "a cup", "bad_entries", "one of two", "No.\n@1.", 3
    )
    save_predictions(workspace, SET, [full])
    assert list(read_predictions(workspace, "c1", ["b.png", "a.png"])) == [full]
    assert find_prediction(workspace, "c1", sha256) == full
    with workspace.reading() as connection:
        (row,) = select(connection, "SELECT name, model, task FROM predictions")
        (about,) = select(connection, "SELECT configuration, task, model, settings FROM prediction_sets")
    assert row == {"name": "mine", "model": "fake", "task": "deepfake"}
    assert about == {"configuration": "c1", "task": "deepfake", "model": "fake", "settings": '{"task": "deepfake"}'}


def test_the_newest_counts_and_what_is_there_is_not_written_again(workspace: Workspace, sha256: str) -> None:
    first = Prediction("a.png", sha256, "failed", error="refused", message="no")
    for one in (first, first, replace(first, status="ok", error=None, message=None)):
        save_predictions(workspace, SET, [one])
    found = find_prediction(workspace, "c1", sha256)
    assert found is not None
    assert found.status == "ok"
    with workspace.reading() as connection:
        assert len(select(connection, "SELECT id FROM predictions")) == 2


def test_configurations_and_contents_stay_apart(workspace: Workspace, sha256: str) -> None:
    save_predictions(workspace, SET, [Prediction("a.png", sha256, "ok")])
    assert find_prediction(workspace, "c2", sha256) is None
    assert find_prediction(workspace, "c1", hashlib.sha256().hexdigest()) is None
    assert list(read_predictions(workspace, "c2", ["a.png"])) == []


def test_half_a_surrogate_pair_is_kept_as_a_question_mark(workspace: Workspace) -> None:
    name = "a\ud800.png"
    save_predictions(workspace, SET, [Prediction(name, None, "failed", error="unreadable", text="\udc00")])
    (found,) = read_predictions(workspace, "c1", [name])
    assert (found.image, found.text) == (name, "?")


class TestOlderDatabases:
    """Those from before the odds of first words were kept: old answers are replayed, new ones have theirs."""

    async def test_in_a_workspace(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        older = {name: step for name, step in migrations.STEPS.items() if name < "m008"}
        with monkeypatch.context() as patch:
            patch.setattr(migrations, "STEPS", older)
            before = Workspace.open(tmp_path / "older")
        with before.writing() as connection:
            old = {name: value for name, value in attempt("old").items() if name != "odds"}
            insert_rows(connection, "calls", [{**old, "created": "2026-01-01T00:00:00.000Z"}])
        ledger = SqliteLedger(Workspace.open(before.path))
        await ledger.record(attempt("new", odds='{"yes": 0.9}'))
        found = [await ledger.good(key) for key in ("old", "new")]
        await ledger.aclose()
        assert [row and row["odds"] for row in found] == [None, '{"yes": 0.9}']

    @pytest.mark.slow
    async def test_in_postgres(self) -> None:
        with running_server() as server:
            ledger = await PostgresLedger.open(server.url)
            await ledger.record(attempt("old"))
            await ledger.aclose()
            with psycopg.connect(server.url) as connection:
                connection.execute("ALTER TABLE anomagent_calls DROP COLUMN odds")
            ledger = await PostgresLedger.open(server.url)
            await ledger.record(attempt("new", odds='{"yes": 0.9}'))
            found = [await ledger.good(key) for key in ("old", "new")]
            await ledger.aclose()
        assert [row and row["odds"] for row in found] == [None, '{"yes": 0.9}']
