"""Texts of models in the page: they are texts, whatever they hold, and the browser loads nothing foreign."""

import pytest
from playwright.sync_api import expect

from tests.review.browser import People, Site, chromium, people, site
from tests.review.browser_candidates import anomaly, plain

__all__ = ["chromium", "people", "site"]

pytestmark = pytest.mark.slow

XSS = "<img src=x onerror=\"document.title='owned'\"><script>document.title='owned'</script>{{7*7}}${7*7}</p>"
RTL = "abc \u202e gnp.exe \u2066 \u05e9\u05dc\u05d5\u05dd \u0645\u0631\u062d\u0628\u0627"
LONG = "Severity" * 1_250  # 10,000 characters without a place to break
HOSTILE = [
    [
        anomaly(0, name=XSS, phenomenon=XSS, reasoning=XSS, objects=[XSS, "chair"]),
        anomaly(1, name=RTL, phenomenon=RTL, reasoning=RTL),
        anomaly(2, name=LONG, phenomenon=LONG, reasoning=LONG, objects=[LONG]),
    ]
]


@pytest.mark.parametrize("site", [(HOSTILE, ())], indirect=True)
@pytest.mark.parametrize("width", [1280, 360])
def test_hostile_texts_are_shown_as_they_are(people: People, site: Site, width: int) -> None:
    ada = people.come(site, viewport={"width": width, "height": 720})
    foreign: list[str] = []
    ada.page.on("request", lambda request: request.url.startswith(site.url) or foreign.append(request.url))
    ada.sign_in("<b>Ada</b> & Söhne")
    seen: set[int] = set()
    for _ in range(3):
        item = ada.settle()
        seen.add(item)
        text = (XSS, None, LONG)[item - 1]
        if text:
            assert ada.page.locator("#item-name").text_content() == text
            assert ada.page.locator("#item-phenomenon").text_content() == text
            assert ada.page.locator("#item-reasoning").text_content() == text
        else:
            assert "שלום" in (ada.page.locator("#item-name").text_content() or "")
        assert ada.page.locator("#card img, #card script, #strip img, #evidence img").count() == 0
        assert ada.page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        box = ada.page.locator(".accept").bounding_box()
        assert box, "the answers are in reach, however long the text"
        assert 0 <= box["y"] <= 720 - box["height"]
        ada.press("e")
        ada.page.wait_for_selector("#evidence-body > *")
        ada.press("Escape", "r")
        ada.press("1")
        ada.sees("#strip")
    assert seen == {1, 2, 3}
    assert "<b>Ada</b> & Söhne" in ada.text(".person") or width < 600
    assert "owned" not in ada.page.title()
    assert foreign == []
    ada.sent()
    assert {answer.annotator for answer in site.answers()} == {"<b>Ada</b> & Söhne"}


def test_the_policy_forbids_what_a_text_could_smuggle_in(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    add = """() => { const script = document.createElement('script'); script.textContent = "document.title = 'owned'";
        document.body.append(script); }"""
    ada.page.evaluate(add)
    assert "owned" not in ada.page.title()
    assert any("Content Security Policy" in text for text in ada.complaints)
    ada.complaints.clear()


@pytest.mark.parametrize("site", [(plain(2), ("--token", "sesame-sesame-sesame"))], indirect=True)
def test_a_token_is_asked_for(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.page.goto(site.url)
    expect(ada.page.locator("#sign-in [type=submit]")).to_be_enabled()
    ada.page.keyboard.type("Ada")
    ada.press("Tab")
    ada.page.keyboard.type("wrong")
    ada.press("Enter")
    ada.sees("#sign-in-error")
    assert "token" in ada.text("#sign-in-error")
    assert ada.page.evaluate("document.activeElement.id") == "token"
    ada.press("Control+a")
    ada.page.keyboard.type("sesame-sesame-sesame")
    ada.press("Enter")
    ada.settle()
    ada.complaints = [text for text in ada.complaints if "403" not in text]  # Chromium reports the refusal


def test_a_name_is_wanted(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.page.goto(site.url)
    ada.give_name(" ")
    ada.sees("#sign-in-error")
    assert ada.page.evaluate("document.activeElement.id") == "name"
