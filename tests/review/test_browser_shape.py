"""What the page looks like, to eyes, to screen readers and on small screens."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.review.browser import People, Reader, Site, chromium, people, site
from tests.review.browser_candidates import anomaly

__all__ = ["chromium", "people", "site"]

pytestmark = pytest.mark.slow

NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}
CONTROLS = "button, input, select, textarea, a, summary, [tabindex='0'], dialog, progress, output, [role=toolbar]"
CONTRASTS = """() => {
    const canvas = document.createElement('canvas').getContext('2d', { willReadFrequently: true });
    const rgba = (colour) => {
        canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
        return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const light = ([r, g, b]) => [r, g, b]
        .map((v) => v / 255)
        .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
        .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
    const behind = (element) => {
        for (let e = element; e; e = e.parentElement) {
            const colour = rgba(getComputedStyle(e).backgroundColor);
            if (colour[3] === 255) return colour;
        }
        return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll('body *')) {
        const own = [...element.childNodes].some((node) => node.nodeType === 3 && node.textContent.trim());
        if (!own || !element.checkVisibility() || element.closest('.unseen, kbd, svg, option')) continue;
        const [a, b] = [light(rgba(getComputedStyle(element).color)), light(behind(element))];
        const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
        found.push([ratio, element.textContent.trim().slice(0, 40)]);
    }
    return found;
}"""


def check_contrast(reader: Reader) -> None:
    """WCAG AA: 4.5 to 1 for all text."""
    found = reader.page.evaluate(CONTRASTS)
    assert len(found) > 2
    assert [pair for pair in found if pair[0] < 4.5] == []


def check_width(reader: Reader) -> None:
    """Whether nothing reaches beyond the screen's right side."""
    assert reader.page.evaluate("[document.documentElement.scrollWidth, document.body.scrollWidth]") == [360, 360]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(people: People, site: Site, scheme: str) -> None:
    ada = people.come(site, color_scheme=scheme)
    ada.page.goto(site.url)
    check_contrast(ada)
    ada.sign_in()
    ada.answer("a")
    check_contrast(ada)
    ground = ada.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (ground == "rgb(19, 21, 24)") == (scheme == "dark")
    ada.answer("r")
    ada.press("1", "z")
    ada.sees("#item-mine")
    check_contrast(ada)
    for key in "egf?":
        ada.press(key)
        ada.page.wait_for_load_state("networkidle")
        check_contrast(ada)
        ada.press("Escape")


def test_a_small_screen_needs_no_sideways_scrolling(people: People, site: Site) -> None:
    ada = people.come(site, **NARROW)
    ada.page.goto(site.url)
    check_width(ada)
    ada.sign_in("Augusta Ada King, Countess of Lovelace")
    check_width(ada)
    ada.press("n")
    ada.page.keyboard.type("a note")
    check_width(ada)
    ada.press("Escape")
    ada.answer("r")
    ada.sees("#reasons")
    check_width(ada)
    for element in ("#stage", ".accept", ".reject", ".unsure", "#reasons", "#item-name"):
        box = ada.page.locator(element).bounding_box()
        assert box, element
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360, element
        assert 0 <= box["y"] <= box["y"] + box["height"] <= 640, f"{element} is in view at once"
    for key in "egf?m":
        ada.press(key)
        dialog = ada.page.locator("dialog[open]")
        expect(dialog).to_be_visible()
        box = dialog.bounding_box()
        assert box
        assert 0 <= box["x"] <= box["x"] + box["width"] <= 360
        assert dialog.evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth"), key
        ada.press("Escape")
    ada.page.tap(".accept")
    ada.sent()
    assert [answer.verdict for answer in site.answers()] == ["REJECT", "ACCEPT"]


@pytest.mark.parametrize(("width", "height"), [(740, 360), (320, 568), (800, 1100)])
def test_the_answers_are_in_view_on_any_screen(people: People, site: Site, width: int, height: int) -> None:
    ada = people.come(site, viewport={"width": width, "height": height})
    ada.sign_in()
    ada.answer("r")
    for element in (".accept", ".unsure", "#reasons", "#stage", "#item-name"):
        box = ada.page.locator(element).bounding_box()
        assert box, element
        assert 0 <= box["x"] <= box["x"] + box["width"] <= width, element
        assert 0 <= box["y"] <= box["y"] + (box["height"] if element != "#item-name" else 0) <= height, element


def test_every_control_has_a_name(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.page.goto(site.url)
    names = ada.page.locator("body").aria_snapshot()
    assert 'textbox "Your name"' in names
    ada.sign_in()
    ada.answer("r")
    ada.press("n")
    session = ada.page.context.new_cdp_session(ada.page)
    session.send("Accessibility.enable")
    for key in ["", *"egf?m"]:
        if key:
            ada.press("Escape", key)
            ada.sees("dialog[open]")
        nodes = session.send("Accessibility.getFullAXTree")["nodes"]
        wanted = {"button", "textbox", "combobox", "checkbox", "spinbutton", "dialog", "group", "region", "image"}
        wanted |= {"progressbar", "toolbar", "navigation", "article", "status"}
        found = [node for node in nodes if not node["ignored"] and node["role"]["value"] in wanted]
        unnamed = [
            node["role"]["value"]
            for node in found
            if not node.get("name", {}).get("value") and node["role"]["value"] != "status"
        ]
        assert len(found) >= 2
        assert unnamed == [], f"after {key or 'nothing'}"
    session.detach()


def test_the_tab_key_goes_through_all_controls_in_their_order(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    ada.answer("r")
    visited: list[str] = []
    name = (
        "document.activeElement.id || document.activeElement.dataset.verdict || document.activeElement.dataset.reason"
    )
    ring = "getComputedStyle(document.activeElement).outlineStyle"
    for _ in range(60):
        ada.press("Tab")
        where = ada.page.evaluate(name)
        if where is None:
            break
        visited.append(where)
        assert ada.page.evaluate(ring) == "solid", f"the focus can be seen on {where}"
    assert visited == [
        *("open-filters", "open-guidelines", "open-help", "sign-out"),
        *("stage", "zoom-out", "zoom-in", "zoom-fit", "toggle-boxes"),
        *("card", "open-evidence", "open-note", "skip", "open-last-note", "undo"),
        *("not_visible", "wrong_reason", "duplicate", "trivial", "wrong_object"),
        *("ACCEPT", "REJECT", "UNSURE"),
    ]


def test_a_screen_reader_hears_what_happens(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    said = ada.page.locator("#announcer")
    expect(said).to_contain_text("Floating chair 0. Severity 0: completely implausible.")
    ada.answer("r")
    expect(said).to_contain_text("Rejected. Why? 1 to 5.")
    ada.press("4")
    expect(said).to_contain_text("Reason: Trivial.")
    ada.press("z")
    expect(said).to_contain_text("Taken back. Floating chair 0.")
    stage = ada.page.locator("#stage")
    expect(stage).to_have_attribute("aria-label", "Image 0.png; boxes around chair")


SCALE = [[anomaly(0, severity=0), anomaly(1, severity=30), anomaly(2, severity=31), anomaly(3, severity=100)]]


@pytest.mark.parametrize("site", [(SCALE, ())], indirect=True)
def test_severity_in_words_low_is_bad(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    words: dict[str, str] = {}
    for _ in range(4):
        ada.settle()
        words[ada.text("#severity-number")] = ada.text("#severity-words")
        ada.press("s")
    assert words == {
        "0/100": "completely implausible",
        "30/100": "clearly unnatural",
        "31/100": "noticeably unnatural",
        "100/100": "fully realistic",
    }
