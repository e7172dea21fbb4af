"""What happens to the server: it ends, others write beside it, the store fails, or we have made a mistake."""

from __future__ import annotations

from uuid import uuid4

import pytest
from starlette.testclient import TestClient

from anomagent.review.app import create_app
from anomagent.review.desk import Desk
from anomagent.review.queue import Queue
from anomagent.review.requests import AnswerBody
from anomagent.review.routing import Rules
from anomagent.store import Workspace, database
from anomagent.store import workspace as workspaces
from anomagent.store.database import connect
from anomagent.store.reviews import read_answers
from tests.review.conftest import ORIGIN, Browser
from tests.store.helpers import shrink_disk


def test_a_server_started_anew_knows_people_and_what_they_undid(ann: Browser, workspace: Workspace) -> None:
    id = str(uuid4())
    ann.answer(1, "REJECT", note="why")
    ann.undo(1, id=id)
    app = create_app(Desk(workspace, Queue.load(workspace, None, Rules())), "127.0.0.1")
    again = Browser(TestClient(app, base_url=ORIGIN, cookies=dict(ann.client.cookies)))
    again.headers = ann.headers

    reply = again.undo(1, id=id)

    assert reply.json()["was"] == {"verdict": "REJECT", "reason": None, "note": "why"}
    assert again.answer(1).json()["stored"] is True
    assert len(read_answers(workspace)) == 3


def test_answers_of_other_processes_are_seen(ann: Browser, workspace: Workspace) -> None:
    other = Desk(workspace, Queue.load(workspace, None, Rules()))
    other.answer("Bob", AnswerBody(id="another-process", item=1, verdict="ACCEPT"))

    assert ann.get("/api/progress").json()["all"]["people"] == 1


def test_a_locked_database_costs_no_answer(
    ann: Browser, workspace: Workspace, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(database, "BUSY_SECONDS", 0.01)
    id = str(uuid4())
    locked = connect(workspace.database_path)
    locked.execute("BEGIN IMMEDIATE")

    refused = ann.answer(1, id=id)
    locked.execute("ROLLBACK")
    locked.close()

    assert refused.status_code == 503
    assert "locked" in refused.json()["error"]
    assert str(workspace.path) not in refused.text
    assert str(workspace.path) in caplog.text
    assert ann.answer(1, id=id).json()["stored"] is True


def test_a_full_disk_costs_no_answer(ann: Browser, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    long = "x" * 2_000
    with monkeypatch.context() as small:
        shrink_disk(small, workspaces, 0)
        refused = [reply for _ in range(8) if (reply := ann.answer(1, note=long)).status_code != 200]

    assert {(reply.status_code, "disk full" in reply.json()["error"]) for reply in refused} == {(503, True)}
    assert ann.answer(1, note=long).json()["stored"] is True
    assert len(read_answers(workspace)) == 8 - len(refused) + 1


def test_a_fault_of_ours_is_one_line(ann: Browser, desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(desk, "progress", lambda annotator: 1 / 0)

    reply = ann.get("/api/progress")

    assert (reply.status_code, set(reply.json())) == (500, {"error"})
    assert "division" not in reply.text
    assert reply.headers["content-security-policy"].startswith("default-src 'none'")
