"""What goes wrong on the way: no answer is lost, none is stored twice."""

import json
from collections import Counter

import pytest
from playwright.sync_api import Route, expect

from tests.review.browser import OFFLINE, People, Reader, Site, chromium, people, site

__all__ = ["chromium", "people", "site"]

pytestmark = pytest.mark.slow


@pytest.fixture
def ada(people: People, site: Site) -> Reader:
    people.may_complain = OFFLINE
    reader = people.come(site)
    reader.sign_in()
    return reader


def ahead(reader: Reader) -> None:
    """Wait until the browser has loaded what comes next."""
    reader.settle()
    reader.page.wait_for_load_state("networkidle")


def check_each_once(site: Site, given: list[int]) -> None:
    """Whether exactly these candidates have an answer of Ada's, one each."""
    assert Counter(answer.anomaly for answer in site.answers() if answer.annotator == "Ada") == Counter(given)


def test_offline_and_back(ada: Reader, site: Site) -> None:
    ahead(ada)
    ada.page.context.set_offline(True)
    given = [ada.answer("a") for _ in range(3)]
    expect(ada.page.locator("#banner-link")).to_contain_text("3 answers wait")
    assert site.answers() == []
    given.append(ada.settle())
    ada.press("r")
    ada.sees("#pause")
    expect(ada.page.locator("#pause-title")).to_have_text("Waiting for the server")
    ada.press("2")
    expect(ada.page.locator("body")).to_have_attribute("data-waiting", "5")
    ada.page.context.set_offline(False)
    ada.sent()
    ada.settle()
    ada.misses("#banner-link")
    assert len(set(given)) == 4
    assert [answer.anomaly for answer in site.answers()] == [*given, given[-1]], "in their order"
    assert site.answers()[-1].reason == "wrong_reason"


def test_a_server_killed_and_started_again(ada: Reader, site: Site) -> None:
    ahead(ada)
    given = [ada.answer("a")]
    site.stop()
    given += [ada.answer("u"), ada.answer("r")]
    ada.press("z")
    undone = given.pop()
    expect(ada.page.locator("#work")).to_have_attribute("data-item", str(undone))
    ada.sees("#banner-link")
    site.start()
    ada.sent()
    ada.misses("#banner-link")
    assert site.standing() == {given[0]: "ACCEPT", given[1]: "UNSURE"}
    ada.answer("a")
    ada.sent()
    assert site.standing()[undone] == "ACCEPT"
    assert len({answer.id for answer in site.answers()}) == len(site.answers()) == 5


def test_a_reply_that_is_lost_stores_nothing_twice(ada: Reader, site: Site) -> None:
    lost: list[str] = []

    def lose(route: Route) -> None:
        if lost:
            route.continue_()
            return
        lost.append(route.request.post_data or "")
        reply = route.fetch()  # the server has stored it
        assert reply.json()["stored"]
        route.abort("connectionreset")

    ada.page.route("**/api/answers", lose)
    given = [ada.answer("a"), ada.answer("r")]
    ada.sent()
    assert site.answers()[0].id == json.loads(lost[0])["id"]
    check_each_once(site, given)


@pytest.mark.parametrize("status", [429, 503])
def test_a_busy_server_is_asked_again(people: People, ada: Reader, site: Site, status: int) -> None:
    people.may_complain = None
    refusals = 2

    def refuse(route: Route) -> None:
        nonlocal refusals
        refusals -= 1
        if refusals < 0:
            route.continue_()
        else:
            route.fulfill(status=status, json={"error": "the disk is full"})

    ada.page.route("**/api/answers", refuse)
    given = [ada.answer("a")]
    expect(ada.page.locator("#banner-link")).to_contain_text("The disk is full. 1 answer waits")
    ada.sent()
    check_each_once(site, given)
    ada.misses("#banner-link")
    assert all(str(status) in text for text in ada.complaints)
    ada.complaints.clear()


def test_a_refused_answer_is_shown_and_kept(ada: Reader, site: Site) -> None:
    ada.page.route("**/api/answers", lambda route: route.fulfill(status=400, json={"error": "seconds: too many"}))
    given = [ada.answer("a")]
    expect(ada.page.locator("#banner-refused")).to_contain_text("1 answer refused by the server, kept here. Seconds")
    ada.sent()
    ada.page.reload()
    ada.sees("#banner-refused")
    ada.page.unroute("**/api/answers")
    ada.page.focus("#open-refused")
    ada.press("Enter", "Tab", "Enter")  # Close, Try again
    ada.misses("#refused")
    ada.misses("#banner-refused")
    ada.sent()
    check_each_once(site, given)
    ada.complaints.clear()


def test_a_closed_tab_sends_the_rest_when_it_is_opened_again(people: People, ada: Reader, site: Site) -> None:
    ahead(ada)
    ada.page.context.set_offline(True)
    given = [ada.answer("a"), ada.answer("u")]
    ada.page.close()
    ada.page.context.set_offline(False)
    again = people.tab(ada.page.context, site)
    again.page.goto(site.url)
    again.settle()
    again.sent()
    check_each_once(site, given)


def test_a_browser_that_stores_nothing_sends_from_memory(ada: Reader, site: Site) -> None:
    full = "() => { Storage.prototype.setItem = () => { throw new DOMException('full', 'QuotaExceededError'); }; }"
    ahead(ada)
    ada.page.evaluate(full)
    ada.page.context.set_offline(True)
    given = [ada.answer("a"), ada.answer("u")]
    expect(ada.page.locator("#banner-link")).to_contain_text("2 answers wait in this browser. Keep this page open")
    ada.page.context.set_offline(False)
    ada.sent()
    check_each_once(site, given)


def test_answers_about_another_workspace_are_not_sent(ada: Reader, site: Site) -> None:
    ahead(ada)
    ada.page.context.set_offline(True)
    given = ada.answer("a")
    swap = """() => { const key = Object.keys(localStorage).find((key) => key.includes('waiting'));
        const entry = JSON.parse(localStorage[key]); entry.about.name = 'Another chair'; entry.page = 'earlier';
        localStorage[key] = JSON.stringify(entry); }"""
    ada.page.evaluate(swap)
    ada.page.context.set_offline(False)
    expect(ada.page.locator("#banner-refused")).to_contain_text("another workspace")
    assert given not in site.standing()


def test_a_missing_image_is_said_and_takes_no_answer(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.page.route("**/images/*", lambda route: route.abort())
    ada.page.goto(site.url)
    ada.give_name("Ada")
    expect(ada.page.locator("#stage-message")).to_contain_text("cannot be shown")
    ada.press("a")
    assert site.answers() == []
    ada.page.unroute("**/images/*")
    ada.page.reload()
    ada.answer("a")
    ada.sent()
    ada.complaints.clear()
    assert len(site.answers()) == 1
