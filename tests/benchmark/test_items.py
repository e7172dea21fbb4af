from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from anomagent.benchmark.boxes import ObjectBox
from anomagent.benchmark.items import Item, gather
from anomagent.errors import UsageError


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def make(*names: str) -> None:
    """Files that no item looks into."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()


def names(*paths: str | Path, **options: Any) -> list[str]:
    return [item.name for item in gather(paths, **options)]


def test_folders_are_searched_at_every_depth_in_order() -> None:
    make("in/b.png", "in/a/2.JPG", "in/a/1.webp", "in/notes.txt", "in/.hidden.png", "in/.cache/c.png")
    assert names("in") == ["in/b.png", "in/a/1.webp", "in/a/2.JPG"]


def test_workspaces_inside_a_folder_are_left_out() -> None:
    make("a.png", "anomagent-workspace/anomagent.db", "anomagent-workspace/images/ab/abab.png")
    assert names(".") == ["./a.png"]


def test_links_to_folders_are_not_followed_into_circles() -> None:
    make("in/a.png")
    os.symlink("..", "in/up")
    assert names("in") == ["in/a.png"]


def test_equal_names_in_two_folders_stay_apart() -> None:
    make("a/1.png", "b/1.png")
    assert names("a", "b") == ["a/1.png", "b/1.png"]


def test_a_path_counts_once_however_it_is_written(tmp_path: Path) -> None:
    make("a/1.png", "a/2.png")
    assert names("a/2.png", "a", tmp_path / "a" / "1.png", "./a/../a/2.png") == ["a/2.png", "a/1.png"]


def test_globs_the_shell_left_alone_are_expanded() -> None:
    make("in/1.png", "in/2.png", "in/notes.txt", "in/deep/er/3.png")
    assert names("in/*.png") == ["in/1.png", "in/2.png"]
    assert names("in/*") == ["in/1.png", "in/2.png", "in/deep/er/3.png"]
    assert names("**/3.png") == ["in/deep/er/3.png"]


def test_a_file_with_brackets_in_its_name_is_a_file() -> None:
    make("a[1].png")
    assert names("a[1].png") == ["a[1].png"]


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet"])
def test_manifests_are_relative_to_themselves_and_keep_what_they_say(form: str) -> None:
    make("data/in/a.png", "data/b.png")
    rows: list[dict[str, str]] = [
        {"image": "in/a.png", "prompt": "A cat, a dog", "source": "sdxl", "id": "7"},
        {"image": "b.png", "prompt": "Rain", "source": "flux", "id": "8"},
    ]
    manifest = Path("data") / f"list.{form}"
    if form == "csv":
        lines = [",".join(f'"{value}"' for value in row.values()) for row in rows]
        manifest.write_text("\n".join(["image,prompt,source,id", *lines]))
    elif form == "jsonl":
        manifest.write_text("\n".join(map(json.dumps, rows)))
    else:
        pa, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
        parquet.write_table(pa.Table.from_pylist(rows), manifest)
    assert gather([manifest]) == [
        Item("data/in/a.png", prompt="A cat, a dog", source="sdxl", id="7"),
        Item("data/b.png", prompt="Rain", source="flux", id="8"),
    ]


def test_a_listing_with_details_goes_before_one_without() -> None:
    make("a.png", "b.png")
    Path("list.csv").write_text("image,id\na.png,7\n")
    assert gather([".", "list.csv"]) == [Item("a.png", id="7"), Item("./b.png")]


def test_two_manifests_that_disagree_are_refused() -> None:
    make("a.png")
    Path("one.csv").write_text("image,id\na.png,7\n")
    Path("two.csv").write_text("image,id\na.png,8\n")
    with pytest.raises(UsageError, match=r"a\.png.*two manifests"):
        gather(["one.csv", "two.csv"])


@pytest.mark.parametrize(
    ("paths", "message"),
    [
        (["https://host/a.png"], "is a URL"),
        (["urls.csv"], r"urls\.csv: .*https://host/a\.png.* is a URL"),
        (["empty"], "empty: names no image"),
        (["nothing*.png"], "names no image"),
        (["lost"], "lost: no such file or folder"),
        (["lost.csv"], r"lost\.csv: no such file"),
        (["found.jsonl"], "holds results"),
        (["text.jsonl"], r"text\.jsonl: .*JSON"),
        (["number.jsonl"], r"3: no such file"),
        (["header.csv"], r"header\.csv: lists no image"),
        (["list.json"], r"list\.json: lists no image"),
        (["lost1.png", "lost2.png"], r"lost1\.png: no such file \(and none of 1 more\)"),
    ],
    ids=str,
)
def test_wrong_use_is_one_line(paths: list[str], message: str) -> None:
    Path("empty").mkdir()
    Path("urls.csv").write_text("image\nhttps://host/a.png\n")
    Path("found.jsonl").write_text('{"image": "a.png", "anomalies": []}\n')
    Path("text.jsonl").write_text("hello\n")
    Path("number.jsonl").write_text('{"image": 3}\n')
    Path("header.csv").write_text("image\n")
    Path("list.json").write_text("[]")
    with pytest.raises(UsageError, match=message) as raised:
        gather(paths)
    assert "\n" not in str(raised.value)


def test_json_lines_need_no_more_than_images() -> None:
    make("a.png")
    Path("list.jsonl").write_text('{"image": "a.png"}\n')
    assert names("list.jsonl") == ["a.png"]


def test_a_missing_file_beside_others_is_an_item() -> None:
    make("a.png")
    assert names("a.png", "lost.png") == ["a.png", "lost.png"]


def test_a_limit_takes_the_first() -> None:
    make("in/1.png", "in/2.png", "in/3.png")
    assert names("in", limit=2) == ["in/1.png", "in/2.png"]


def test_boxes_of_objects_come_along_in_every_form() -> None:
    make("a.png")
    said = {"chair": [0, 1, 20, 30.5], "cup": [4, 4, 8, 8]}
    Path("list.jsonl").write_text(json.dumps({"image": "a.png", "boxes": said}))
    quoted = json.dumps(said).replace('"', '""')
    Path("list.csv").write_text(f'image,boxes\na.png,"{quoted}"\n')
    boxes = (ObjectBox("chair", 0, 1, 20, 30.5), ObjectBox("cup", 4, 4, 8, 8))
    assert gather(["list.jsonl"]) == gather(["list.csv"]) == [Item("a.png", boxes=boxes)]
    assert gather(["list.jsonl"])[0].details == {}


def test_two_manifests_that_disagree_about_boxes_are_refused() -> None:
    make("a.png")
    Path("one.jsonl").write_text('{"image": "a.png", "boxes": {"cup": [0, 0, 2, 2]}}')
    Path("two.jsonl").write_text('{"image": "a.png", "boxes": {"cup": [0, 0, 2, 3]}}')
    with pytest.raises(UsageError, match="two manifests"):
        gather(["one.jsonl", "two.jsonl"])
