"""The contract between the server and the page."""

from __future__ import annotations

import json
from typing import Any

import pytest

from anomagent.benchmark.kinds import KINDS
from anomagent.store import Workspace
from anomagent.store.reviews import read_answers
from tests.review.conftest import HOSTILE, Browser

ITEM = {"id", "image", "name", "phenomenon", "reasoning", "severity", "kind", "source", "objects", "boxes"}
MINE = {"answered", "accept", "reject", "unsure", "left"}
ALL = {"candidates", "answered", "people"}


def _first(browser: Browser) -> int:
    return browser.get("/api/next").json()["item"]["id"]


def test_whoever_has_no_session_gets_the_form_and_nothing_else(clients: Any) -> None:
    browser = clients()

    assert '<input id="name"' in browser.open()
    for path in ("/api/next", "/api/progress", "/api/filters", "/api/items/1", f"/images/{'0' * 64}"):
        assert (browser.get(path).status_code, set(browser.get(path).json())) == (401, {"error"})
    assert browser.answer(1).status_code == 401


def test_signing_in_gives_the_page(clients: Any) -> None:
    browser = clients()

    reply = browser.sign_in("  Ann   Example ")

    assert (reply.status_code, reply.content) == (204, b"")
    assert 'data-annotator="Ann Example"' in browser.open()


@pytest.mark.parametrize("name", ["", "  ", "x" * 81, "a\x00b", "a\u202eb", "a\ud800", 5, None])
def test_names_that_cannot_be_shown_are_refused(name: Any, clients: Any) -> None:
    browser = clients()
    browser.open()
    content = f'{{"name": {json.dumps(name)}}}'
    headers = browser.headers | {"Content-Type": "application/json"}

    assert browser.client.post("/session", content=content, headers=headers).status_code == 400


def test_a_name_is_escaped_in_the_page(clients: Any) -> None:
    browser = clients()
    browser.sign_in('"><script>alert(1)</script>')

    page = browser.open()

    assert "<script>alert" not in page
    assert "&lt;script&gt;alert" in page


def test_next_gives_an_item_images_to_load_and_progress(ann: Browser) -> None:
    reply = ann.get("/api/next").json()

    assert set(reply) == {"item", "upcoming", "progress"}
    assert set(reply["item"]) == ITEM | {"capacity", "mine"}
    sha256 = reply["item"]["image"]["sha256"]
    about = {"sha256": sha256, "url": f"/images/{sha256}", "width": 64, "height": 48}
    assert reply["item"]["image"].items() >= about.items()
    assert reply["item"]["image"]["name"] in ("0.png", "1.png")
    assert (reply["item"]["capacity"], reply["item"]["mine"]) == ("annotator", None)
    assert len(reply["upcoming"]) == 3
    assert all(set(each) == {"id", "image"} and set(each["image"]) == {"sha256", "url"} for each in reply["upcoming"])
    assert reply["item"]["id"] not in [each["id"] for each in reply["upcoming"]]
    assert (set(reply["progress"]["mine"]), set(reply["progress"]["all"])) == (MINE, ALL)


def test_an_answer_counts_and_the_next_item_is_another(ann: Browser, workspace: Workspace) -> None:
    item = _first(ann)

    reply = ann.answer(item, "REJECT", reason="trivial", note=" small \x07", seconds=2.5)

    assert reply.status_code == 200
    assert reply.json()["stored"] is True
    assert reply.json()["progress"]["mine"] == {"answered": 1, "accept": 0, "reject": 1, "unsure": 0, "left": 5}
    ((_, stored),) = read_answers(workspace)
    assert (stored.annotator, stored.anomaly, stored.verdict, stored.reason) == ("Ann", item, "REJECT", "trivial")
    assert (stored.note, stored.seconds, stored.capacity) == ("small", 2.5, "annotator")
    assert ann.get(f"/api/next?after={item}").json()["item"]["id"] != item
    mine = {"verdict": "REJECT", "reason": "trivial", "note": "small"}
    assert ann.get(f"/api/items/{item}").json()["mine"] == mine


def test_unknown_things_are_not_there(ann: Browser) -> None:
    for path in ("/api/items/999", "/api/items/x", f"/api/items/{'9' * 40}", "/api/items/999/evidence", "/nowhere"):
        reply = ann.get(path)
        assert (reply.status_code, set(reply.json())) == (404, {"error"})
    assert ann.answer(999).status_code == 404
    assert ann.undo(999).status_code == 404
    assert ann.get("/api/answers").status_code == 405


def test_where_the_workspace_lies_is_nobodys_business(ann: Browser, workspace: Workspace) -> None:
    for path in (f"/images/{'0' * 64}", "/api/items/999", "/"):
        assert str(workspace.path) not in ann.get(path).text


def test_filters_and_evidence(ann: Browser) -> None:
    filters = ann.get("/api/filters").json()
    evidence = ann.get(f"/api/items/{_first(ann)}/evidence").json()

    assert [kind["id"] for kind in filters["kinds"]] == list(KINDS)
    assert filters["sources"] == []
    assert set(evidence) == {"object_reports", "scans", "candidates", "support", "statements"}
    assert evidence["support"] == 2
    assert all(set(said) == {"role", "object", "kind", "phenomenon", "explanation"} for said in evidence["statements"])


def test_filters_choose_candidates(ann: Browser) -> None:
    reply = ann.get("/api/next?severity_min=15&severity_max=20&source=&kind=&unsure=").json()

    assert reply["item"]["severity"] == 20
    assert ann.get("/api/next?severity_min=90").json()["item"] is None


def test_texts_of_models_are_data(ann: Browser) -> None:
    reply = ann.get("/api/next?severity_min=10&severity_max=10")

    assert reply.headers["content-type"] == "application/json"
    assert reply.headers["x-content-type-options"] == "nosniff"
    shown = reply.json()["item"]["phenomenon"]
    assert shown == "<script>alert('x')</script>[31m"
    assert shown != HOSTILE


def _seen(browser: Browser) -> list[Any]:
    """All that somebody is told, without the sums: of everybody, and of what is left."""
    paths = ["/", "/api/next", "/api/next?unsure=1", "/api/progress", "/api/filters"]
    paths += [f"/api/items/{item}{more}" for item in range(1, 7) for more in ("", "/evidence")]
    replies = [browser.get(path) for path in paths]
    assert {reply.status_code for reply in replies} == {200}
    told = [reply.text if path == "/" else reply.json() for path, reply in zip(paths, replies, strict=True)]
    for reply in (told[1]["progress"], told[2]["progress"], told[3]):
        reply["all"]["answered"] = reply["all"]["people"] = reply["mine"]["left"] = None
    return told


@pytest.mark.parametrize("verdict", ["ACCEPT", "REJECT"])
def test_nothing_that_somebody_is_told_depends_on_what_another_says(clients: Any, verdict: str) -> None:
    ann, bob = clients(), clients()
    ann.sign_in("Ann-who-answers")
    bob.sign_in("Bob")
    item = _first(ann)
    about = {"reason": "wrong_object"} if verdict == "REJECT" else {}
    before = _seen(bob)

    ann.answer(item, verdict, note="a secret note", **about)

    assert _seen(bob) == before
    undone = bob.undo(item)
    assert (undone.status_code, undone.json()) == (404, {"error": "there is no answer of yours to undo"})
    assert bob.get("/api/progress").json()["all"] == {"candidates": 6, "answered": 1, "people": 1}
    given = bob.answer(item, "ACCEPT").json()
    assert given["progress"]["mine"] == {"answered": 1, "accept": 1, "reject": 0, "unsure": 0, "left": 5}
    assert bob.get(f"/api/items/{item}").json()["mine"] == {"verdict": "ACCEPT", "reason": None, "note": None}


def test_one_person_has_one_spelling(ann: Browser, clients: Any) -> None:
    ann.answer(1)
    for name, known in (("ann", "Ann"), ("  ANN ", "Ann"), ("ada", "Ada")):
        reply = clients().sign_in(name)
        assert (reply.status_code, reply.json()["known"]) == (409, known)
        assert f"sign in as {known}" in reply.json()["error"]
    assert clients().sign_in("Ann").status_code == 204


def test_adjudicators_are_known_by_name(clients: Any, workspace: Workspace) -> None:
    ada = clients()
    ada.sign_in("Ada")

    ada.answer(1, "ACCEPT")

    assert ada.get("/api/items/1").json()["capacity"] == "adjudicator"
    assert read_answers(workspace)[0][1].capacity == "adjudicator"


def test_signing_out_ends_the_session_everywhere(ann: Browser) -> None:
    cookies = dict(ann.client.cookies)

    assert ann.send("DELETE", "/session").status_code == 204
    ann.client.cookies.clear()
    ann.client.cookies.update(cookies)

    assert ann.get("/api/progress").status_code == 401
