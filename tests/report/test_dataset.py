"""A data set's numbers as tables and as a picture."""

from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure
from PIL import Image

from anomagent.benchmark.kinds import KINDS
from anomagent.errors import UsageError
from anomagent.report.dataset import published_stats, stats_facts, stats_tables
from anomagent.report.dataset_plots import write_stats_plot

SPREAD = {"number": 3, "mean": 2.0, "median": 2, "p90": 3}
NOTHING = {"number": 0, "mean": None, "median": None, "p90": None}


def example(sources: int = 2, **changes: Any) -> dict[str, Any]:
    rows = [
        {"source": f"gen{place} $x$ _y", "images": 9, "analysed": 4, "candidates": 8, "accepted": 6}
        | {"before": 2.0, "after": 1.5}
        for place in range(sources - 1)
    ]
    rows.append({"source": None, "images": 1, "analysed": 0, "candidates": 0, "accepted": 0})
    rows[-1] |= {"before": None, "after": None}
    found = {
        "of": "workspace w",
        "images": {"all": 10, "analysed": 4, "partial": 1, "failed": 2, "running": 0, "dropped": 3}
        | {"described": 1, "superseded": 2},
        "candidates": {"all": 8, "accepted": 6, "rejected": 1, "unsure": 0, "unreviewed": 1},
        "sources": rows,
        "severity": {"before": [8, *[0] * 9], "after": [6, *[0] * 9]},
        "objects": SPREAD,
        "frequent_objects": {"person": 4},
        "kinds": {kind: {"before": 1, "after": 0} for kind in KINDS},
        "lengths": {"name": {"before": SPREAD, "after": NOTHING}},
        "splits": [{"split": "half", "part": "train", "images": 1, "candidates": 2, "accepted": 1}],
        "review": {"people": 2, "answers": 9, "shared": 4, "unanimous": 3},
    }
    return found | changes


def test_facts_tell_what_is_not_in_the_figures() -> None:
    facts = stats_facts(example())
    assert facts[0] == "workspace w: 10 images, 4 with a result; 8 candidates, 6 accepted."
    assert facts[1] == "Images: 1 partial, 2 failed, 3 filtered out, 1 real, with a description."
    assert facts[2].endswith("9 answers of 2 people, 3 of 4 judged twice agree.")
    assert facts[3] == "Superseded: reviewed results are older than 2 newer analyses, and count."


def test_tables_by_hand() -> None:
    tables = {table.title: table for table in stats_tables(example(), published=True)}
    by_source = tables["Images and annotations by source"].rows
    assert by_source[0].cells[1:] == ("9", "4", "8", "6", "2.00", "1.50")
    assert by_source[1].cells == ("(not stated)", "1", "0", "0", "0", "–", "–")
    assert [row.cells[0] for row in tables["Severity"].rows][-2:] == ["80–89", "90–100"]
    assert tables["Words"].rows[0].cells == ("name", "2", "3", "–", "–")
    assert tables["Splits"].rows[0].cells == ("half: train", "1", "2", "1")
    # The paper's Figure 4: Flux with 8.20 annotations per image before and 5.88 after the review.
    assert [row.cells[2:] for row in tables["The paper's data set"].rows if row.cells[0] == "Flux"] == [
        ("8.20", "5.88")
    ]
    assert published_stats()["annotations_per_image"]["Flux"] == {"before": 8.20, "after": 5.88}


def test_what_was_not_counted_has_no_table() -> None:
    titles = {table.title for table in stats_tables(example(kinds=None, splits=[], objects=NOTHING))}
    assert titles == {"Images and annotations by source", "Severity", "Words"}


@pytest.mark.parametrize("sources", [2, 40])
def test_the_picture_is_whole_or_not_there(tmp_path: Path, sources: int) -> None:
    write_stats_plot(example(sources, kinds=None if sources == 2 else example()["kinds"]), tmp_path / "f.png")
    with Image.open(tmp_path / "f.png") as picture:
        assert picture.format == "PNG"
        assert picture.height < 2_000, "sources behind the twentieth are one row"
    with pytest.raises(UsageError, match="cannot be written"):
        write_stats_plot(example(sources), tmp_path / "none" / "f.png")


def test_where_neither_kinds_nor_objects_are_known_nothing_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    titles: list[str] = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: titles.extend(_titles(figure)))  # type: ignore[misc]
    with pytest.raises(UsageError):  # no file came to be
        write_stats_plot(example(kinds=None, frequent_objects={}), tmp_path / "f.png")
    assert titles == ["Images by source", "Annotations per image", "Annotations by severity"]


def _titles(figure: Any) -> list[str]:
    return [axes.get_title(loc="left") for axes in figure.axes]
