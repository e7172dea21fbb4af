import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from anomagent.errors import UsageError
from anomagent.report.page import render_page, write_page
from tests.report.examples import HOSTILE, store_example, workspace_in


class _Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.addresses: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("src", "href", "srcset", "action")]


def _parse(page: str) -> _Tags:
    parser = _Tags()
    parser.feed(page)
    parser.close()
    return parser


def test_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    stored = store_example(workspace)
    write_page(workspace, [stored], tmp_path / "page.html")

    page = (tmp_path / "page.html").read_text("utf-8")
    parsed = _parse(page)
    assert [address[:22] for address in parsed.addresses] == ["data:image/png;base64,"]
    assert "default-src 'none'" in page
    assert not {"script", "link", "iframe"} & set(parsed.tags)


def test_page_says_what_every_agent_said(tmp_path: Path) -> None:
    stored = store_example(workspace_in(tmp_path))
    page = render_page([stored], {stored["sha256"]: None})

    for part in ("ObjectPerceiver", "AttributeAnalyzer", "RelationReasoner", "SceneScanner", "AnomalyIntegrator"):
        assert f"<summary>{part}" in page
    for part in ("10/100, extremely unnatural", "support 3", "kept", "refused", "no longer in the workspace", "fake:x"):
        assert part in page
    assert "2 calls, 1 from the ledger, 200 input tokens (80 cached), 20 output tokens, 0.5000 USD" in page
    assert "0 = completely implausible, 100 = fully realistic" in page


def test_hostile_text_stays_text(tmp_path: Path) -> None:
    stored = store_example(workspace_in(tmp_path), image=HOSTILE, said=HOSTILE)
    page = render_page([stored], {stored["sha256"]: None})

    assert "script" not in _parse(page).tags
    assert "{{ 7 * 7 }}" in page
    assert not re.search("[\x1b\u202e]", page)


def test_unwritable_page_is_refused(tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    with pytest.raises(UsageError, match="cannot write"):
        write_page(workspace, [store_example(workspace)], tmp_path / "missing" / "page.html")
