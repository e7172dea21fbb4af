from __future__ import annotations

from base64 import b64decode
from xml.etree import ElementTree

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from anomagent.report.plots import data_url, draw_bars, draw_curve, draw_histogram, draw_stacks

SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = "</text><script>alert('x')</script> \"&amp; \x1b\u202e\ud800\uffff $a$ ]]>"


def texts(svg: str) -> list[str]:
    """What a browser would write, in order. Raises where the SVG is no XML."""
    return [element.text or "" for element in _tree(svg).iter(f"{SVG}text")]


def _tree(svg: str) -> ElementTree.Element:
    root = ElementTree.fromstring(svg)
    tags = {element.tag.removeprefix(SVG) for element in root.iter()}
    assert not {"script", "foreignObject", "image", "a"} & tags
    return root


def test_hostile_names_are_letters() -> None:
    plots = (
        draw_bars({HOSTILE: 1.0}, {HOSTILE: [0.5, 1.5]}, "x"),
        draw_curve({HOSTILE: [(0.7, 0.5), (0.8, 0.4)]}),
        draw_stacks({"a": {HOSTILE: 1.0}}, "x"),
        draw_stacks({HOSTILE: {"a": 1.0}}, "x"),
    )
    for svg in plots:
        assert any(text.startswith("</text><script>alert('x')</scri") for text in texts(svg))
        assert "<script" not in svg


@settings(max_examples=15, deadline=None)
@given(name=st.text(max_size=12))
@example(name="\ufffe\uffff\ud800\x00")
def test_any_name_is_xml(name: str) -> None:
    _tree(draw_bars({name: 1.0}, {}, "x"))


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("_hidden", "_hidden"),  # matplotlib would leave it out of the legend
        ("$x^2$", "$x^2$"),  # and typeset this
        ("two\nlines\t ", "two lines"),
        ("", "(no name)"),
        ("x" * 40, "x" * 31 + "…"),
        ("圖", "圖"),  # no letter of the font here, but perhaps of the browser's
    ],
)
def test_names_are_short_and_shown(name: str, shown: str) -> None:
    assert shown in [text.strip() for text in texts(draw_stacks({"bar": {name: 1.0}}, "x"))]


def test_equal_input_gives_equal_bytes() -> None:
    def draw() -> list[str]:
        return [
            draw_curve({"a": [(0.5, 0.9), (0.6, 0.8)], "b": [(0.5, 0.1)]}),
            draw_bars({"a": 1.0, "b": 2.0}, {"a": [0.5, 1.5]}, "x"),
            draw_histogram([0.1, 0.5], "x"),
            draw_stacks({"a": {"k": 1.0}, "b": {"l": 2.0}}, "x"),
        ]

    assert draw() == draw()


def test_nothing_to_draw_is_an_empty_plot() -> None:
    for svg in (
        draw_curve({}),
        draw_curve({"a": []}),
        draw_bars({}, {}, "nothing here"),
        draw_histogram([], "nothing here"),
        draw_stacks({}, "nothing here"),
        draw_stacks({"a": {}}, "nothing here"),
    ):
        assert {"nothing here", "similarity threshold"} & set(texts(svg))


def test_the_first_bar_is_on_top() -> None:
    svg = draw_bars({"first": 1.0, "second": 2.0}, {}, "x")
    shown = texts(svg)

    assert shown.index("first") < shown.index("second")
    places = {element.text: element.get("transform", "") for element in _tree(svg).iter(f"{SVG}text")}
    heights = {name: float(places[name].split("(")[1].split(")")[0].split()[-1]) for name in ("first", "second")}
    assert heights["first"] < heights["second"]  # SVG counts from above


def test_data_url_holds_the_plot() -> None:
    svg = draw_bars({"é": 1.0}, {}, "x")
    url = data_url(svg)

    kind, content = url.split(",")
    assert kind == "data:image/svg+xml;base64"
    assert b64decode(content).decode() == svg
