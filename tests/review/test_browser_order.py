"""What a person said last about a candidate is what counts, in whatever order it reaches the server."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from anomagent.state.reviews import Answer
from anomagent.store.reviews import append_answers
from tests.review.browser import OFFLINE, People, Reader, Site, chromium, people, site
from tests.review.browser_candidates import plain

__all__ = ["chromium", "people", "site"]

pytestmark = pytest.mark.slow

ANSWERS = "**/api/answers"


@pytest.fixture
def ada(people: People, site: Site) -> Reader:
    people.may_complain = OFFLINE
    reader = people.come(site)
    reader.sign_in()
    return reader


def answer_instead(page: Page, status: int, times: int = 1) -> list[dict[str, Any]]:
    """Let the first answers that are sent come back with `status`, as if the server had said so; they are returned."""
    bodies: list[dict[str, Any]] = []

    def reply(route: Route) -> None:
        if len(bodies) >= times:
            route.continue_()
            return
        bodies.append(json.loads(route.request.post_data or ""))
        route.fulfill(status=status, json={"error": "not this one"})

    page.route(ANSWERS, reply)
    return bodies


def said_of(site: Site, item: int) -> list[tuple[str, str | None]]:
    """What was stored of a candidate, in the order in which it arrived."""
    return [(answer.verdict, answer.reason) for answer in site.answers() if answer.anomaly == item]


def take_back(reader: Reader, item: int) -> None:
    reader.press("z")
    expect(reader.page.locator("#work")).to_have_attribute("data-item", str(item))


def press_in_refused(reader: Reader, label: str) -> None:
    """Open the list of refused answers and press the first button of that name."""
    reader.page.focus("#open-refused")
    reader.press("Enter")
    reader.page.locator("#refused").get_by_text(label).first.focus()
    reader.press("Enter")


def test_an_undo_waits_behind_the_answer_the_server_failed_on(ada: Reader, site: Site) -> None:
    answer_instead(ada.page, 500)
    item = ada.answer("a")
    take_back(ada, item)
    assert ada.answer("r") == item
    ada.sent()
    assert said_of(site, item) == [("ACCEPT", None), ("WITHDRAWN", None), ("REJECT", None)]
    assert site.standing() == {item: "REJECT"}
    ada.misses("#banner-refused")
    ada.misses("#banner-link")
    ada.complaints.clear()


def test_a_reason_waits_behind_the_rejection_the_server_failed_on(ada: Reader, site: Site) -> None:
    answer_instead(ada.page, 500)
    item = ada.answer("r")
    ada.press("1")
    ada.sent()
    assert said_of(site, item) == [("REJECT", None), ("REJECT", "not_visible")]
    (standing,) = site.standing_answers()
    assert (standing.verdict, standing.reason) == ("REJECT", "not_visible")
    ada.complaints.clear()


def test_other_candidates_go_on_while_the_server_fails_on_one(ada: Reader, site: Site) -> None:
    failing = ada.settle()

    def fail(route: Route) -> None:
        if json.loads(route.request.post_data or "")["item"] == failing:
            route.fulfill(status=500, json={"error": "the server made a mistake"})
        else:
            route.continue_()

    ada.page.route(ANSWERS, fail)
    ada.answer("r")
    ada.press("2")
    others = [ada.answer("a"), ada.answer("u"), ada.answer("a")]
    expect(ada.page.locator("#banner-link")).to_contain_text("The server made a mistake. 2 answers wait")
    expect(ada.page.locator("body")).to_have_attribute("data-waiting", "2")
    assert [answer.anomaly for answer in site.answers()] == others
    ada.page.unroute(ANSWERS)
    ada.sent()
    assert said_of(site, failing) == [("REJECT", None), ("REJECT", "wrong_reason")]
    ada.misses("#banner-link")
    ada.complaints.clear()


def test_an_undo_discards_what_the_server_refused(ada: Reader, site: Site) -> None:
    answer_instead(ada.page, 400)
    item = ada.answer("a")
    ada.sees("#banner-refused")
    take_back(ada, item)
    ada.misses("#banner-refused")
    assert ada.answer("r") == item
    ada.sent()
    assert [verdict for verdict, _ in said_of(site, item) if verdict != "WITHDRAWN"] == ["REJECT"]
    ada.complaints.clear()


@pytest.mark.parametrize("site", [(plain(1, each=2), ())], indirect=True)
@pytest.mark.parametrize("offline", [False, True], ids=["stored", "waiting"])
def test_a_refused_answer_is_dropped_when_a_newer_one_counts(ada: Reader, site: Site, offline: bool) -> None:
    answer_instead(ada.page, 400)
    item = ada.answer("a")
    ada.sees("#banner-refused")
    ada.answer("u")  # the other one; the first comes again, for the server has no answer about it
    assert ada.settle() == item
    ada.sent()
    ada.page.context.set_offline(offline)
    ada.press("r")
    ada.sees("#pause")
    if not offline:
        ada.sent()
    press_in_refused(ada, "Try again")
    expect(ada.page.locator("#refused-said")).to_contain_text("you have answered “Floating chair")
    assert ada.page.locator("#refused-list li").count() == 0
    ada.press("Escape")
    ada.misses("#banner-refused")
    ada.page.context.set_offline(False)
    ada.sent()
    assert said_of(site, item) == [("REJECT", None)]
    ada.complaints.clear()


def test_an_answer_with_the_id_of_somebody_elses_is_kept_and_shown(ada: Reader, site: Site) -> None:
    taken = "somebody-elses-1"
    append_answers(site.workspace, [Answer(id=taken, anomaly=1, annotator="Bob", verdict="REJECT")])

    def rename(route: Route) -> None:
        route.continue_(post_data=json.dumps(json.loads(route.request.post_data or "") | {"id": taken}))

    ada.page.route(ANSWERS, rename)
    item = ada.answer("a")
    expect(ada.page.locator("#banner-refused")).to_contain_text("1 answer refused")
    assert site.standing() == {}
    ada.page.unroute(ANSWERS)
    press_in_refused(ada, "Try again")
    ada.misses("#banner-refused")
    ada.sent()
    assert site.standing() == {item: "ACCEPT"}
    assert site.standing("Bob") == {1: "REJECT"}
    ada.complaints.clear()


def test_the_later_answer_stands_though_the_earlier_arrives_after_it(people: People, ada: Reader, site: Site) -> None:
    other = people.come(site)
    other.sign_in()
    item = ada.settle()
    ada.page.context.set_offline(True)
    assert ada.answer("a") == item
    while other.answer("r") != item:
        pass  # until the candidate comes to this device, too
    other.sent()
    ada.page.context.set_offline(False)
    ada.sent()
    assert said_of(site, item)[:2] == [("REJECT", None), ("ACCEPT", None)], "both are kept, as they arrived"
    assert site.standing()[item] == "REJECT"
    ada.page.reload()
    ada.settle()
    mine = ada.page.evaluate("(item) => fetch(`/api/items/${item}`).then((reply) => reply.json())", item)["mine"]
    assert mine["verdict"] == "REJECT"


def test_a_slow_request_does_not_make_the_next_one_older(ada: Reader, site: Site) -> None:
    slow: list[Route] = []
    ada.page.route(ANSWERS, lambda route: route.continue_() if slow else slow.append(route))
    ada.answer("r")
    ada.press("2")
    ada.page.wait_for_timeout(400)  # the rejection reaches the server long after its reason was given
    slow[0].continue_()
    ada.sent()
    (standing,) = site.standing_answers()
    assert standing.reason == "wrong_reason"
