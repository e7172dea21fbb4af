"""Several tabs, several people, and sessions that end: every answer is its person's, and stored once."""

from collections import Counter

import pytest
from playwright.sync_api import expect

from tests.review.browser import OFFLINE, People, Reader, Site, chromium, people, site
from tests.review.browser_candidates import plain

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


def test_a_lost_session_keeps_the_outbox(ada: Reader, site: Site) -> None:
    ahead(ada)
    ada.page.context.clear_cookies()
    given = [ada.settle()]
    ada.press("a")
    expect(ada.page.locator("#waiting")).to_contain_text("1 answer of Ada")
    ada.give_name("Bob")
    ada.settle()
    assert site.answers() == [], "Ada's answer is not sent as Bob's"
    ada.page.focus("#sign-out")
    ada.press("Enter")
    ada.give_name("Ada")
    ada.settle()
    ada.sent()
    check_each_once(site, given)
    assert all("401" in text for text in ada.complaints)
    ada.complaints.clear()


def test_somebody_else_signed_in_at_the_same_browser(people: People, ada: Reader, site: Site) -> None:
    ahead(ada)
    ada.page.context.clear_cookies()
    bob = people.tab(ada.page.context, site)
    bob.sign_in("Bob")
    ada.page.bring_to_front()
    item = ada.settle()
    ada.press("a")
    expect(ada.page.locator("#banner-stale")).to_contain_text("out of date")
    assert site.answers() == [], "the server must not take it for Bob's"
    expect(ada.page.locator("body")).to_have_attribute("data-waiting", "1")
    bob.answer("r")
    bob.sent()
    assert {answer.annotator for answer in site.answers()} == {"Bob"}
    assert item not in site.standing("Ada")
    assert all("403" in text for text in ada.complaints)
    ada.complaints.clear()


def test_two_tabs_of_one_person(people: People, ada: Reader, site: Site) -> None:
    other = people.tab(ada.page.context, site)
    other.page.goto(site.url)
    ahead(other)
    ahead(ada)
    ada.page.context.set_offline(True)
    given = [ada.answer("a"), ada.answer("a"), other.answer("r"), other.answer("r")]
    assert len(set(given)) == 4, "what one tab answered is not asked in the other"
    ada.page.context.set_offline(False)
    ada.sent()
    other.sent()
    check_each_once(site, given)
    assert Counter(site.standing().values()) == Counter(ACCEPT=2, REJECT=2)


@pytest.mark.parametrize("site", [(plain(6), ())], indirect=True)
def test_two_people_at_once(people: People, ada: Reader, site: Site) -> None:
    bob = people.come(site)
    bob.sign_in("Bob")
    mine: list[int] = []
    theirs: list[int] = []
    for _ in range(4):
        mine.append(ada.answer("a"))
        theirs.append(bob.answer("r"))
    ada.sent()
    bob.sent()
    assert site.standing("Ada") == dict.fromkeys(mine, "ACCEPT")
    assert site.standing("Bob") == dict.fromkeys(theirs, "REJECT")
    assert not set(mine) & set(theirs)
    assert "by 2 people" in bob.text("#progress-all")


@pytest.mark.parametrize("site", [(plain(1, each=1), ())], indirect=True)
def test_others_are_at_what_is_left(people: People, ada: Reader, site: Site) -> None:
    bob = people.come(site)
    bob.page.goto(site.url)
    bob.give_name("Bob")
    bob.sees("#pause")
    expect(bob.page.locator("#pause-title")).to_have_text("Nothing for now")
    expect(bob.page.locator("#pause-text")).to_contain_text("Others are at what is left")
    item = ada.settle()
    ada.press("u")  # one person's UNSURE goes to a second one
    ada.sees("#pause")
    ada.sent()
    expect(ada.page.locator("#pause-title")).to_have_text("All done")
    bob.page.focus("#look-again")
    bob.press("Enter")
    assert bob.settle() == item
    bob.press("a")
    expect(bob.page.locator("#pause-title")).to_have_text("All done")
    bob.sent()
    assert bob.text("#progress-all") == "All: 1 of 1 answered by 2 people"


def test_a_name_in_another_spelling(people: People, ada: Reader, site: Site) -> None:
    ada.answer("a")
    ada.sent()
    again = people.come(site)
    again.page.goto(site.url)
    again.give_name("ada")
    again.sees("#sign-in-error")
    expect(again.page.locator("#known")).to_have_text("Go on as Ada")
    expect(again.page.locator("#known")).to_be_focused()
    again.press("Enter")
    again.settle()
    again.answer("r")
    again.sent()
    assert {answer.annotator for answer in site.answers()} == {"Ada"}
    again.complaints = [text for text in again.complaints if "409" not in text]  # Chromium reports the refusal
