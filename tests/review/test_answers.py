"""Answers that come twice, late, out of order, or about what is gone."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from anomagent.review.desk import Desk
from anomagent.store import Workspace, save_analysis, start_run
from anomagent.store.database import iso
from anomagent.store.reviews import read_answers
from tests.review.conftest import Browser
from tests.store.helpers import result


def _first(browser: Browser) -> int:
    return browser.get("/api/next").json()["item"]["id"]


def test_the_same_answer_twice_is_one_and_a_later_one_counts(ann: Browser, workspace: Workspace) -> None:
    item, id = _first(ann), str(uuid4())

    stored = [ann.answer(item, "ACCEPT", id=id).json()["stored"] for _ in range(2)]
    later = ann.answer(item, "UNSURE").json()

    assert stored == [True, False]
    assert later["stored"] is True
    assert later["progress"]["mine"] == {"answered": 1, "accept": 0, "reject": 0, "unsure": 1, "left": 5}
    assert [answer.verdict for _, answer in read_answers(workspace)] == ["ACCEPT", "UNSURE"]


def test_undo_brings_the_item_back_once(ann: Browser, workspace: Workspace) -> None:
    item, id = _first(ann), str(uuid4())
    ann.answer(item, "REJECT", reason="duplicate", note="as before")

    replies = [ann.undo(item, id=id) for _ in range(2)]

    for reply in replies:
        assert reply.status_code == 200
        assert reply.json()["was"] == {"verdict": "REJECT", "reason": "duplicate", "note": "as before"}
        assert (reply.json()["item"]["id"], reply.json()["item"]["mine"]) == (item, None)
        assert reply.json()["progress"]["mine"]["answered"] == 0
    assert [answer.verdict for _, answer in read_answers(workspace)] == ["REJECT", "WITHDRAWN"]
    assert ann.undo(item).status_code == 404


def _given_before(seconds: float) -> str:
    return iso(datetime.now(UTC) - timedelta(seconds=seconds))


def test_of_two_devices_the_answer_that_was_given_last_counts(clients: Any, workspace: Workspace) -> None:
    """A telephone was offline when it said ACCEPT; REJECT was said at a desk since."""
    phone, screen = clients(), clients()
    phone.sign_in("Ann")
    screen.sign_in("Ann")
    screen.answer(1, "REJECT", age=5)

    late = phone.answer(1, "ACCEPT", age=600).json()

    assert late["stored"] is True
    assert late["progress"]["mine"]["reject"] == 1
    told = [(answer.verdict, answer.created or "") for _, answer in read_answers(workspace)]
    assert [verdict for verdict, _ in told] == ["REJECT", "ACCEPT", "REJECT"]
    assert told[0][1] == told[2][1] <= _given_before(5)
    assert told[1][1] <= _given_before(600)
    assert phone.answer(1, "UNSURE", age=2).json()["progress"]["mine"]["unsure"] == 1


def test_an_undo_withdraws_the_answer_that_it_names(ann: Browser, workspace: Workspace) -> None:
    old, new = str(uuid4()), str(uuid4())
    ann.answer(1, "ACCEPT", id=old)
    ann.answer(1, "REJECT", id=new, reason="trivial")

    reply = ann.undo(1, answer=old)

    assert reply.status_code == 200
    now = {"verdict": "REJECT", "reason": "trivial", "note": None}
    assert (reply.json()["item"]["mine"], reply.json()["was"]) == (now, now)
    assert len(read_answers(workspace)) == 2
    assert ann.undo(1, answer=new, age=3).json()["item"]["mine"] is None


def test_an_id_of_another_answer_is_refused(ann: Browser, clients: Any) -> None:
    bob, id = clients(), str(uuid4())
    bob.sign_in("Bob")
    ann.answer(1, id=id)

    for reply in (bob.answer(1, id=id), ann.answer(2, id=id), ann.answer(1, "REJECT", id=id), ann.undo(1, id=id)):
        assert (reply.status_code, set(reply.json())) == (409, {"error"})


def test_an_answer_to_a_candidate_that_is_gone_is_kept(ann: Browser, desk: Desk, workspace: Workspace) -> None:
    gone = _first(ann)
    image = ann.get(f"/api/items/{gone}").json()["image"]
    run = start_run(workspace, "run", {}, "hash")
    save_analysis(workspace, run, result(image["sha256"], f"folder/{image['name']}"))
    ann.get("/api/progress")
    desk.settle()

    assert ann.get("/api/progress").json()["all"]["candidates"] == 4
    assert ann.answer(gone, "REJECT").json()["stored"] is True
    assert ann.get(f"/api/items/{gone}").json()["mine"]["verdict"] == "REJECT"
    assert ann.undo(gone).json()["was"]["verdict"] == "REJECT"
