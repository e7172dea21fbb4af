"""The image: fitted, zoomed, panned, with the boxes of objects on it."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.review.browser import People, Reader, Site, chromium, people, site

__all__ = ["chromium", "people", "site"]

pytestmark = pytest.mark.slow

NARROW: dict[str, Any] = {"viewport": {"width": 360, "height": 640}, "has_touch": True, "is_mobile": True}


def place(reader: Reader) -> list[float]:
    """Where the image lies in the stage: left, top, width."""
    return reader.page.evaluate("""() => {
        const [image, stage] = ['#canvas img', '#stage'].map((s) => document.querySelector(s).getBoundingClientRect());
        return [image.left - stage.left, image.top - stage.top, image.width].map(Math.round); }""")


def test_zoom_and_pan_by_keys_and_wheel(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    fitted = place(ada)
    ada.press("ArrowRight")
    assert place(ada) == fitted, "all is in view: there is nowhere to go"
    ada.press("+", "=")
    left, top, width = place(ada)
    assert width == pytest.approx(fitted[2] * 1.3**2, abs=2)
    ada.press("ArrowRight", "ArrowDown")
    assert place(ada) == [left - 80, pytest.approx(top - 80, abs=80), width]
    ada.press("-", "-", "-", "-")
    assert place(ada) == fitted, "never smaller than the stage"
    frame = ada.page.locator("#stage").bounding_box()
    assert frame
    ada.page.mouse.move(frame["x"] + 10, frame["y"] + frame["height"] / 2)
    ada.page.mouse.wheel(0, -400)
    expect(ada.page.locator("#stage.zoomed")).to_be_visible()
    assert place(ada)[0] == pytest.approx(0, abs=10), "what is under the pointer stays there"
    ada.page.mouse.down()
    ada.page.mouse.move(frame["x"] - 90, frame["y"] + frame["height"] / 2)
    ada.page.mouse.up()
    assert place(ada)[0] < -80
    ada.press("0")
    assert place(ada) == fitted


def test_the_box_lies_on_its_object(people: People, site: Site) -> None:
    ada = people.come(site)
    ada.sign_in()
    left, top, width = place(ada)
    scale = width / 480
    for keys in ([], ["+", "+"]):
        ada.press(*keys)
        left, top, width = place(ada)
        scale = width / 480
        stage, box = (ada.page.locator(one).bounding_box() for one in ("#stage", "#canvas .line"))
        assert stage
        assert box
        assert box["x"] - stage["x"] == pytest.approx(left + 120 * scale, abs=3)
        assert box["y"] - stage["y"] == pytest.approx(top + 90 * scale, abs=3)
        assert box["width"] == pytest.approx(180 * scale, abs=5)
    ada.press("b")
    ada.misses("#canvas svg")
    ada.answer("a")
    ada.misses("#canvas svg")  # until it is wanted again
    ada.press("b")
    ada.sees("#canvas svg")


def test_two_fingers_zoom(people: People, site: Site) -> None:
    ada = people.come(site, **NARROW)
    ada.sign_in()
    before = place(ada)[2]
    session = ada.page.context.new_cdp_session(ada.page)
    frame = ada.page.locator("#stage").bounding_box()
    assert frame
    x, y = frame["x"] + frame["width"] / 2, frame["y"] + frame["height"] / 2
    for kind, apart in (("touchStart", 30), ("touchMove", 45), ("touchMove", 60)):
        points = [{"x": x - apart, "y": y, "id": 0}, {"x": x + apart, "y": y, "id": 1}]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})
    session.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})
    session.detach()
    assert place(ada)[2] == pytest.approx(2 * before, rel=0.1)
