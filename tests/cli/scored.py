"""Files to score, and a page's parts, for the tests of `evaluate`, `compare` and `audit`."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from tests.cli.conftest import Outcome

SAMPLE = Path(__file__).parents[1] / "data" / "anomreason_sample"
TRUTH, PREDICTIONS = SAMPLE / "ground_truth.json", SAMPLE / "predictions.json"
BIDI, ESCAPE = "\u202e", "\x1b"
HOSTILE = f"<script>alert('x') \"&amp; {ESCAPE}[31m{BIDI}[bold]{{{{ 7 * 7 }}}}"
"""HTML, quotes, markup for rich, a terminal colour, a reversed reading direction, a template; it can name a file."""


def entry(text: str, severity: object = 10) -> dict[str, Any]:
    """An anomaly as files have it; every text is `text`."""
    return {"Name": text, "Observed Phenomenon": text, "Reasoning": text, "Severity Score": severity}


def images(**texts: Sequence[str]) -> dict[str, list[dict[str, Any]]]:
    """Annotations: by an image's stem, the texts of its anomalies."""
    return {f"{stem}.png": [entry(text) for text in said] for stem, said in texts.items()}


def write(name: str, value: Any) -> str:
    """A JSON file in the current folder."""
    Path(name).write_text(json.dumps(value), encoding="utf-8")
    return name


def script(*said: dict[str, Any], role: str, name: str = "script.json") -> str:
    """A model that says these things in this role, the last one for ever."""
    return f"fake:{write(name, {'rules': [{'role': role, 'says': list(said)}]})}"


def refused(outcome: Outcome) -> str:
    """The one line of a command that was used in a wrong way and did nothing."""
    assert (outcome.code, outcome.out) == (2, ""), outcome
    assert outcome.err.startswith("anomagent: "), outcome.err
    assert outcome.err.count("\n") == 1, outcome.err
    return outcome.err


class Page(HTMLParser):
    """What a browser would make of a page: tags, what they load, and the text."""

    _VOID = frozenset({"meta", "img", "br"})

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.loaded: list[str] = []
        self.text = ""
        self._open: list[str] = []
        self.feed(page)
        self.close()
        assert self._open == [], self._open

    @classmethod
    def read(cls, path: str | Path) -> Page:
        return cls(Path(path).read_text("utf-8"))

    def pictures(self, kind: str) -> int:
        """How many pictures of this kind are inside: "svg+xml" are the plots."""
        return sum(address.startswith(f"data:image/{kind};base64,") for address in self.loaded)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        assert not [name for name, _ in attrs if name.startswith("on")]
        self.loaded += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]
        if tag not in self._VOID:
            self._open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(page: Page) -> None:
    """It runs nothing, loads nothing from elsewhere, and shows hostile text letter by letter."""
    assert not {"script", "link", "iframe", "object", "form", "a"} & set(page.tags)
    assert page.loaded
    assert all(address.startswith("data:image/") for address in page.loaded)
    assert not {BIDI, ESCAPE} & set(page.text)
