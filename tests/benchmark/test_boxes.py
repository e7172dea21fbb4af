from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.benchmark.boxes import ObjectBox, boxes_json, read_boxes
from anomagent.benchmark.manifests import read_listing, read_manifest
from anomagent.errors import UsageError

SIDE = st.floats(0, 1e6, allow_nan=False)


@given(st.dictionaries(st.text(min_size=1).filter(str.strip), st.tuples(SIDE, SIDE, SIDE, SIDE), max_size=5))
def test_what_is_written_is_read(said: dict[str, tuple[float, float, float, float]]) -> None:
    boxes = tuple(
        ObjectBox(name, x0, y0, x1 + x0 + 1, y1 + y0 + 1)
        for name, (x0, y0, x1, y1) in said.items()
        if not any("\ud800" <= letter <= "\udfff" for letter in name)
    )
    assert read_boxes(boxes_json(boxes)) == boxes
    assert read_boxes(json.loads(boxes_json(boxes))) == boxes


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (7, "a number"),
        ([[0, 0, 1, 1]], "a list"),
        ("{", "not JSON"),
        ({"": [0, 0, 1, 1]}, "no name"),
        ({"cup": [0, 0, 1]}, "four numbers"),
        ({"cup": [0, 0, 1, "2"]}, "four numbers"),
        ({"cup": [0, 0, True, 2]}, "four numbers"),
        ({"cup": [0, 0, float("nan"), 2]}, "four numbers"),
        ({"cup": [0, 0, 10**400, 2]}, "four numbers"),
        ('{"cup": [0, 0, 1' + "0" * 400 + ", 2]}", "four numbers"),
        ('{"cup": [0, 0, ' + "1" * 5000 + ", 2]}", "digits"),
        ({"cup": [5, 0, 5, 2]}, "no inside"),
        ({"cup": [-1, 0, 5, 2]}, "no inside"),
        ([("cup", [0, 0, 1, 1]), ("cup", [0, 0, 2, 2])], "twice"),
        ({str(number): [0, 0, 1, 1] for number in range(1001)}, "1,001 boxes"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_other_things_are_refused_with_the_reason(value: Any, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        read_boxes(value)


def test_parquet_gives_every_row_the_names_of_all(tmp_path: Path) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    rows = [{"image": "a.png", "boxes": {"cup": [0, 0, 1, 2]}}, {"image": "b.png", "boxes": {"cat": [1, 1, 3, 3]}}]
    parquet.write_table(arrow.Table.from_pylist(rows), tmp_path / "list.parquet")
    assert [listed.boxes for listed in read_listing(tmp_path / "list.parquet")] == [
        (ObjectBox("cup", 0, 0, 1, 2),),
        (ObjectBox("cat", 1, 1, 3, 3),),
    ]


def test_a_message_names_file_and_line_and_other_readers_do_not_look(tmp_path: Path) -> None:
    (tmp_path / "list.jsonl").write_text('{"image": "a.png"}\n{"image": "b.png", "boxes": {"cup": [1]}}\n')
    with pytest.raises(UsageError, match=r"list\.jsonl: line 2: boxes: the box of 'cup' is not four numbers"):
        read_listing(tmp_path / "list.jsonl")
    assert len(read_manifest(tmp_path / "list.jsonl")) == 2
