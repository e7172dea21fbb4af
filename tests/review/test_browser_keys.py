"""The whole course of a review, by keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.review.browser import People, Reader, Site, chromium, people, site
from tests.review.browser_candidates import plain

__all__ = ["chromium", "people", "site"]

pytestmark = pytest.mark.slow


@pytest.fixture
def ada(people: People, site: Site) -> Reader:
    reader = people.come(site)
    reader.sign_in()
    return reader


def focused(reader: Reader) -> str:
    """The id of what has the focus."""
    return reader.page.evaluate("document.activeElement.id")


def test_three_answers_by_one_key_each(ada: Reader, site: Site) -> None:
    given = [ada.answer("a"), ada.answer("r"), ada.answer("u")]
    ada.sent()
    assert [(answer.anomaly, answer.verdict) for answer in site.answers()] == [
        (given[0], "ACCEPT"),
        (given[1], "REJECT"),
        (given[2], "UNSURE"),
    ]
    assert len(set(given)) == 3
    assert "You: 3 answered" in ada.text("#progress-mine")
    assert "of 12 answered" in ada.text("#progress-all")


def test_a_reason_is_one_more_key_about_the_answer_before(ada: Reader, site: Site) -> None:
    ada.press("2")  # nothing was rejected yet
    rejected = ada.answer("r")
    shown = ada.settle()
    ada.press("4", "3", "3")  # a mistake, its correction, and the same once more
    ada.sent()
    assert [(answer.anomaly, answer.reason) for answer in site.answers()] == [
        (rejected, None),
        (rejected, "trivial"),
        (rejected, "duplicate"),
    ]
    assert ada.settle() == shown, "a reason does not leave the candidate that is shown"
    expect(ada.page.locator("[data-reason=duplicate]")).to_have_attribute("aria-pressed", "true")
    assert len({answer.id for answer in site.answers()}) == 3
    assert len({answer.seconds for answer in site.answers()}) == 1, "the time of the one look"
    ada.answer("a")
    ada.press("1")  # the last answer accepts: there is no reason to give
    ada.misses("#reasons")
    ada.sent()
    assert len(site.answers()) == 4


def test_a_note_goes_along_with_the_answer_and_its_letters_are_no_keys(ada: Reader, site: Site) -> None:
    first = ada.settle()
    ada.press("n")
    assert focused(ada) == "note"
    ada.page.keyboard.type("a rubbish note, u r 1 z")
    ada.press("Escape")
    ada.misses("#note-box")
    assert focused(ada) == "open-note"
    assert ada.settle() == first
    ada.answer("u")
    ada.sent()
    (answer,) = site.answers()
    assert (answer.anomaly, answer.verdict, answer.note) == (first, "UNSURE", "a rubbish note, u r 1 z")
    ada.press("n")
    assert ada.page.input_value("#note") == "", "the next candidate has no note yet"


def test_a_note_on_the_answer_before(ada: Reader, site: Site) -> None:
    ada.press("m")  # there is no answer before
    ada.misses("#last-note")
    rejected = ada.answer("r")
    ada.settle()
    ada.press("5", "m")
    assert focused(ada) == "last-note-text"
    ada.page.keyboard.type("The lamp, not the chair.")
    ada.press("Escape")
    ada.sees("#open-last-note.filled")
    ada.sent()
    last = site.answers()[-1]
    assert (last.anomaly, last.verdict, last.reason) == (rejected, "REJECT", "wrong_object")
    assert last.note == "The lamp, not the chair."
    ada.press("m", "Escape")  # looked at, not changed
    ada.sent()
    assert len(site.answers()) == 3


@pytest.mark.parametrize("key", ["z", "Control+z"])
def test_undo_brings_the_candidate_back_with_what_was_answered(ada: Reader, site: Site, key: str) -> None:
    ada.press("n")
    ada.page.keyboard.type("see its legs")
    ada.press("Escape")
    first = ada.answer("r")
    second = ada.settle()
    ada.press("1", key)
    expect(ada.page.locator("#work")).to_have_attribute("data-item", str(first))
    assert "Rejected (Not visible)" in ada.text("#item-mine")
    ada.press("n")
    assert ada.page.input_value("#note") == "see its legs"
    ada.press("Escape")
    ada.sent()
    assert site.standing() == {}
    assert ada.answer("a") == first
    assert ada.settle() == second, "the one that had been on the screen comes next"
    ada.sent()
    assert site.standing() == {first: "ACCEPT"}


def test_undo_goes_further_back_and_survives_a_reload(ada: Reader, site: Site) -> None:
    given = [ada.answer("a"), ada.answer("u"), ada.answer("r")]
    ada.sent()
    ada.page.reload()
    ada.settle()
    for item in reversed(given):
        ada.press("z")
        expect(ada.page.locator("#work")).to_have_attribute("data-item", str(item))
    ada.press("z")
    expect(ada.page.locator("#announcer")).to_contain_text("Nothing to undo")
    ada.sent()
    assert site.standing() == {}


def test_skipping_comes_round_again(ada: Reader, site: Site) -> None:
    skipped: list[int] = []
    for _ in range(12):
        skipped.append(ada.settle())
        ada.press("s")
    assert sorted(skipped) == list(range(1, 13)), "everything once, before anything comes again"
    assert ada.settle() in skipped
    assert site.answers() == []


@pytest.mark.parametrize("site", [(plain(1, 1), ())], indirect=True)
def test_the_end_and_back(ada: Reader, site: Site) -> None:
    ada.settle()
    ada.press("s")
    ada.settle()  # the only one comes again
    ada.press("r")
    ada.sees("#pause")
    expect(ada.page.locator("#pause-title")).to_have_text("All done")
    ada.sees("#reasons")
    ada.press("3")
    ada.sent()
    assert site.answers()[-1].reason == "duplicate"
    ada.press("z")
    assert ada.settle() == 1
    ada.sent()
    assert site.standing() == {}


def test_keys_that_are_no_answers(ada: Reader, site: Site) -> None:
    shown = ada.settle()
    ada.press("Control+a", "Alt+a", "Meta+r", "Enter", "x", "F2")
    hold = "document.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', code: 'KeyA', repeat: true, bubbles: true}))"
    ada.page.evaluate(hold)
    assert ada.settle() == shown
    ada.sent()
    assert site.answers() == []


def test_a_double_press_answers_once_and_a_held_enter_does_not_go_on(ada: Reader, site: Site) -> None:
    ada.settle()
    twice = """() => { for (let i = 0; i < 2; i++)
        document.dispatchEvent(new KeyboardEvent('keydown', {key: 'a', code: 'KeyA', bubbles: true})); }"""
    ada.page.evaluate(twice)
    ada.settle()
    ada.page.focus(".reject")
    ada.page.keyboard.down("Enter")
    ada.settle()
    ada.page.keyboard.down("Enter")  # the same press, held: the browser repeats it
    ada.page.keyboard.down("Enter")
    ada.settle()
    ada.page.keyboard.up("Enter")
    ada.sent()
    assert [answer.verdict for answer in site.answers()] == ["ACCEPT", "REJECT"]


def test_keys_follow_the_letters_of_a_layout_else_the_places(ada: Reader, site: Site) -> None:
    press = "([key, code]) => document.dispatchEvent(new KeyboardEvent('keydown', {key, code, bubbles: true}))"
    ada.settle()
    ada.page.evaluate(press, ["y", "KeyZ"])  # German: no undo
    ada.page.evaluate(press, ["ф", "KeyA"])  # Russian: where A is
    ada.settle()
    ada.page.evaluate(press, ["R", "KeyR"])  # caps lock
    ada.settle()
    ada.page.evaluate(press, ["é", "Digit2"])  # French digits need no shift
    ada.sent()
    assert [(answer.verdict, answer.reason) for answer in site.answers()] == [
        ("ACCEPT", None),
        ("REJECT", None),
        ("REJECT", "wrong_reason"),
    ]


def test_single_keys_can_be_turned_off(ada: Reader, site: Site) -> None:
    ada.press("?")
    ada.page.focus("#keys-on")
    ada.press("Space", "Escape")
    shown = ada.settle()
    ada.press("a", "s")
    assert ada.settle() == shown
    ada.page.focus(".unsure")
    ada.press("Enter")
    ada.settle()
    ada.sent()
    assert site.standing() == {shown: "UNSURE"}
