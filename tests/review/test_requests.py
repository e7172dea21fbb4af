"""What is refused before anything is done for it: bodies and queries of another shape."""

from __future__ import annotations

import json
from asyncio import Event
from typing import Any

import pytest

from anomagent.review.requests import LARGEST_BODY
from anomagent.store import Workspace
from anomagent.store.reviews import read_answers
from tests.review.conftest import Browser

ANSWER = {"id": "11112222-aaaa", "item": 1, "verdict": "ACCEPT"}


@pytest.mark.parametrize(
    "body",
    [
        {},
        [],
        "text",
        5,
        {**ANSWER, "id": "short"},
        {**ANSWER, "id": "x" * 65},
        {**ANSWER, "id": "11112222/../x"},
        {**ANSWER, "id": "11112222-aaaa\n"},
        {**ANSWER, "id": 1111222233},
        {**ANSWER, "item": "1"},
        {**ANSWER, "item": 1.5},
        {**ANSWER, "item": True},
        {**ANSWER, "item": 0},
        {**ANSWER, "item": 2**63},
        {**ANSWER, "verdict": "accept"},
        {**ANSWER, "verdict": "WITHDRAWN"},
        {**ANSWER, "verdict": None},
        {**ANSWER, "verdict": "REJECT", "reason": "ugly"},
        {**ANSWER, "reason": "trivial"},
        {**ANSWER, "note": "x" * 2_001},
        {**ANSWER, "note": ["x"]},
        {**ANSWER, "seconds": -1},
        {**ANSWER, "seconds": 86_401},
        {**ANSWER, "seconds": "1"},
        {**ANSWER, "age": -0.1},
        {**ANSWER, "age": 30 * 86_400 + 1},
        {**ANSWER, "age": None},
        {**ANSWER, "answer": "11112222-bbbb"},
        {**ANSWER, "annotator": "Bob"},
        {**ANSWER, "capacity": "adjudicator"},
        {"id": "11112222-aaaa", "item": 1},
    ],
    ids=str,
)
def test_malformed_answers_are_refused(body: Any, ann: Browser, workspace: Workspace) -> None:
    reply = ann.send("POST", "/api/answers", body)

    assert (reply.status_code, set(reply.json())) == (400, {"error"})
    assert "\n" not in reply.json()["error"]
    assert read_answers(workspace) == []


@pytest.mark.parametrize("more", [{"answer": "short"}, {"answer": 5}, {"age": -1}, {"age": 1e9}, {"verdict": "ACCEPT"}])
def test_malformed_undos_are_refused(more: Any, ann: Browser, workspace: Workspace) -> None:
    ann.answer(1)

    assert ann.undo(1, **more).status_code == 400
    assert len(read_answers(workspace)) == 1


def test_a_body_that_never_ends_is_given_up(ann: Browser, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomagent.review.requests._PATIENCE", 0.0)

    async def never(request: Any) -> bytes:
        await Event().wait()
        return b""

    monkeypatch.setattr("anomagent.review.requests._read", never)
    assert ann.answer(1).status_code == 408


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 60_000,
        json.dumps(ANSWER).encode()[:-1] + b', "seconds": NaN}',
        json.dumps(ANSWER).encode()[:-1] + b', "seconds": 1e999}',
        json.dumps(ANSWER).encode()[:-1] + b', "seconds": ' + b"9" * 5_000 + b"}",
    ],
    ids=["empty", "open", "no UTF-8", "deep", "NaN", "infinite", "long number"],
)
def test_what_is_no_json_is_refused(content: bytes, ann: Browser, workspace: Workspace) -> None:
    headers = ann.headers | {"Content-Type": "application/json"}
    reply = ann.client.post("/api/answers", content=content, headers=headers)

    assert (reply.status_code, set(reply.json())) == (400, {"error"})
    assert read_answers(workspace) == []


def test_half_a_letter_in_a_note_does_not_cost_the_answer(ann: Browser, workspace: Workspace) -> None:
    content = json.dumps({**ANSWER, "note": "\ud83d half"}).encode()
    reply = ann.client.post("/api/answers", content=content, headers=ann.headers | {"Content-Type": "application/json"})

    assert reply.json()["stored"] is True
    assert read_answers(workspace)[0][1].note == "\ufffd half"
    assert ann.get("/api/items/1").json()["mine"]["note"] == "\ufffd half"


def test_large_bodies_and_other_types_are_refused(ann: Browser) -> None:
    big = {**ANSWER, "note": "x" * LARGEST_BODY}
    assert ann.post("/api/answers", **big).status_code == 413
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""):
        headers = ann.headers | {"Content-Type": kind}
        reply = ann.client.post("/api/answers", content=json.dumps(ANSWER), headers=headers)
        assert (reply.status_code, set(reply.json())) == (415, {"error"})


@pytest.mark.parametrize(
    "query",
    [
        "severity_min=-1",
        "severity_max=101",
        "severity_min=x",
        "severity_min=1.5",
        "severity_min=٣",
        "kind=ugly",
        "unsure=yes",
        "after=x",
        "after=-1",
        f"after={2**63}",
        f"after={'9' * 5000}",
        "kind=light&kind=scale",
        "colour=red",
        f"source={'x' * 1001}",
    ],
)
def test_malformed_queries_are_refused(query: str, ann: Browser) -> None:
    reply = ann.get(f"/api/next?{query}")

    assert (reply.status_code, set(reply.json())) == (400, {"error"})
