"""Filters, evidence, guidelines and help, by keyboard alone."""

import pytest
from playwright.sync_api import expect

from tests.review.browser import People, Reader, Site, chromium, people, site
from tests.review.browser_candidates import anomaly

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


KINDS = [[anomaly(0, severity=5), anomaly(1, severity=50)], [anomaly(2, severity=90)]]


@pytest.mark.parametrize("site", [(KINDS, ())], indirect=True)
def test_filters_by_source_and_severity(ada: Reader, site: Site) -> None:
    ada.press("f")
    assert focused(ada) == "filter-source"
    expect(ada.page.locator("#filter-source option")).to_have_count(3)
    ada.press("s", "Tab", "Tab")  # "sketcher", by its first letter
    ada.page.keyboard.type("95")
    ada.press("Enter")
    expect(ada.page.locator("#banner-filters")).to_contain_text("source sketcher, severity 95 to 100")
    ada.sees("#pause")
    expect(ada.page.locator("#pause-title")).to_have_text("Nothing is left here")
    ada.press("f", "Tab", "Tab", "Control+a")
    ada.page.keyboard.type("40")
    ada.press("Enter")
    ada.settle()
    assert ada.text("#severity-number") == "90/100"
    assert "sketcher" in ada.text("#item-source")
    ada.page.reload()  # filters belong to the tab
    ada.settle()
    assert ada.text("#severity-number") == "90/100"
    ada.press("f", "Tab", "Tab", "Control+a")
    ada.page.keyboard.type("101")
    ada.press("Enter")
    expect(ada.page.locator("#filters-error")).to_contain_text("0 to 100")
    ada.press("Escape")
    ada.settle()


def test_only_what_people_are_unsure_of(people: People, ada: Reader, site: Site) -> None:
    item = ada.answer("u")
    ada.sent()
    bob = people.come(site)
    bob.sign_in("Bob")
    bob.press("f", "Tab", "Tab", "Tab", "Tab", "Space", "Enter")
    expect(bob.page.locator("#banner-filters")).to_contain_text("unsure")
    assert bob.settle() == item
    assert "Ada" not in bob.page.content(), "who said it is nobody's business"
    bob.misses("#item-mine")


def test_panels_open_and_close_by_their_keys_and_keep_the_focus(ada: Reader) -> None:
    ada.page.focus("#skip")
    for key, panel in {"e": "#evidence", "g": "#guidelines", "f": "#filters", "?": "#help"}.items():
        ada.press(key)
        ada.sees(panel)
        shown = ada.settle()
        for _ in range(12):  # Tab never leaves the dialog for the page behind it
            ada.press("Tab")
            outside = f"!document.activeElement.closest('{panel}') && document.activeElement !== document.body"
            assert not ada.page.evaluate(outside)
        ada.page.focus(f"{panel} [data-close]")
        ada.press("a", "z")  # no answers from inside a panel
        ada.press(key if key != "f" else "Escape")
        ada.misses(panel)
        assert focused(ada) == "skip"
        assert ada.settle() == shown


def test_the_evidence_is_fetched_when_it_is_asked_for(ada: Reader) -> None:
    asked: list[str] = []
    ada.page.on("request", lambda request: asked.append(request.url))
    ada.press("e")
    expect(ada.page.locator("#evidence-body")).to_contain_text("AttributeAnalyzer")
    assert "it floats" in ada.text("#evidence-body")
    assert "Support: 2" in ada.text("#evidence-state")
    ada.press("e", "e")
    ada.sees("#evidence-body")
    assert sum("evidence" in url for url in asked) == 1
