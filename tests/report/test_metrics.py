from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.errors import UsageError
from anomagent.report.metrics import Example, MatchedImage, MatchRow, Page, Plot, render_metrics, write_metrics
from anomagent.report.tables import Row, Table
from tests.cli.scored import HOSTILE
from tests.cli.scored import Page as Read

SVG = "<svg xmlns='http://www.w3.org/2000/svg'/>"
PICTURE = "data:image/png;base64,AAAA"


def _page(said: str = "said", picture: str | None = None) -> Page:
    return Page(
        said,
        [said],
        [Table(said, (said, "number"), [Row((said, "1.0"), own=True)], said)],
        [Plot(said, SVG, said, [Example(said, picture, said)]), Plot("bare", SVG)],
        [MatchedImage(said, picture, said, [MatchRow(said, said, 0.5), MatchRow(said, None, None)]),
         MatchedImage("silent", None, "", [])],
    )  # fmt: skip


def test_page_shows_everything() -> None:
    page = Read(render_metrics(_page(picture=PICTURE)))

    assert page.pictures("svg+xml") == 2
    assert page.pictures("png") == 2
    for part in ("0.500", "1.0", "—", "Nothing on either side."):
        assert part in page.text


def test_every_text_is_escaped() -> None:
    page = render_metrics(_page(HOSTILE))
    read = Read(page)

    assert "<script" not in page
    assert "script" not in read.tags
    # title, heading, fact; table: title, caption, head, cell; figure: title, caption, image, note; matching: image,
    # note, two predictions, one ground truth
    assert read.text.count("<script>alert('x')") == 16
    assert read.text.count("{{ 7 * 7 }}") == 16
    assert not {"\x1b", "\u202e"} & set(page)


def test_images_that_are_not_at_hand_leave_no_hole() -> None:
    assert Read(render_metrics(_page())).pictures("png") == 0


def test_page_without_anything_is_a_page() -> None:
    assert "Figures" in Read(render_metrics(Page("empty", [], [], []))).text


def test_unwritable_page_is_refused_and_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot write .*--html"):
        write_metrics(_page(), tmp_path / "missing" / "page.html")

    (tmp_path / "page.html").mkdir()
    with pytest.raises(UsageError, match="cannot write"):
        write_metrics(_page(), tmp_path / "page.html")
    assert [path.name for path in tmp_path.iterdir()] == ["page.html"]
