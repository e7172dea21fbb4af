"""Several people and a network that sends things twice, at a real server."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from anomagent.store import Workspace
from anomagent.store.reviews import read_answers
from tests.review.conftest import Browser

ITEMS = range(1, 7)


def test_two_people_at_once_lose_nothing_and_double_nothing(visitors: Any, workspace: Workspace) -> None:
    people = {name: visitors() for name in ("Ann", "Bob")}
    for name, browser in people.items():
        assert browser.sign_in(name).status_code == 204

    def work(browser: Browser) -> list[bool]:
        stored = []
        for item in ITEMS:
            id = str(uuid4())
            stored += [browser.answer(item, "ACCEPT", id=id).json()["stored"] for _ in range(2)]
        return stored

    with ThreadPoolExecutor(2) as pool:
        stored = list(pool.map(work, people.values()))

    assert stored == [[True, False] * len(ITEMS)] * 2
    kept = Counter((answer.annotator, answer.anomaly) for _, answer in read_answers(workspace))
    assert kept == {(name, item): 1 for name in people for item in ITEMS}


def test_one_answer_sent_many_times_at_once_is_stored_once(visitors: Any, workspace: Workspace) -> None:
    browsers = [visitors() for _ in range(6)]
    for browser in browsers:
        browser.sign_in("Ann")
    id = str(uuid4())

    with ThreadPoolExecutor(len(browsers)) as pool:
        replies = list(pool.map(lambda browser: browser.answer(1, "ACCEPT", id=id), browsers))

    assert {reply.status_code for reply in replies} == {200}
    assert sorted(reply.json()["stored"] for reply in replies) == [False] * 5 + [True]
    assert len(read_answers(workspace)) == 1


def test_a_real_server_names_neither_itself_nor_its_people(visitors: Any, capfd: Any) -> None:
    browser = visitors()
    browser.sign_in("Ann")

    reply = browser.get("/api/progress?name=secret")

    assert "server" not in reply.headers
    assert reply.headers.get_list("cache-control") == ["no-store"]
    assert capfd.readouterr() == ("", "")


def test_a_request_of_another_shape_is_refused(visitors: Any) -> None:
    browser = visitors()

    assert browser.client.get("/", headers={"Host": "evil.example"}).status_code == 403
    assert browser.client.request("TRACE", "/", headers=browser.headers).status_code == 405
    assert browser.client.get("/", headers={"X-Long": "x" * 70_000}).status_code == 400
