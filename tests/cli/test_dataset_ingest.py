import csv
import json
from pathlib import Path

import pytest
from PIL import Image

from tests.cli.conftest import Cli


@pytest.fixture
def images(tmp_path: Path) -> Path:
    folder = tmp_path / "in"
    folder.mkdir()
    for shade in range(3):
        Image.new("RGB", (40, 40), (shade, 0, 0)).save(folder / f"{shade}.png")
    return folder


def test_a_folder_is_taken_in_and_again(cli: Cli, images: Path) -> None:
    outcome = cli("dataset", "ingest", "in")
    assert (outcome.code, outcome.out, outcome.err) == (0, "3 files: 3 new images, 0 known by content\n", "")
    assert cli("dataset", "ingest", "in").out == "3 files: 0 new images, 3 known by content\n"


def test_broken_files_are_code_3_and_named(cli: Cli, images: Path, tmp_path: Path) -> None:
    (images / "=HYPERLINK().png").write_text("no image")
    (images / "[red]x.png").write_text("")
    outcome = cli("dataset", "ingest", "in", "--report", "out.csv")
    assert outcome.code == 3
    assert "damaged   2" in outcome.out
    assert outcome.err == "anomagent: 2 files missing, unreadable or damaged; --report FILE.csv names each\n"
    with (tmp_path / "out.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [(row["file"], row["reason"]) for row in rows] == [
        ("in/=HYPERLINK().png", "damaged"),
        ("in/[red]x.png", "damaged"),
    ]


def test_what_a_rule_leaves_out_is_no_failure(cli: Cli, images: Path) -> None:
    outcome = cli("dataset", "ingest", "in", "--min-pixels", "2000", "--json")
    assert outcome.code == 0
    said = json.loads(outcome.out)
    assert (said["files"], said["new"], said["left_out"]) == (3, 0, {"too_small": 3})
    assert said["left_out_files"][0] == {
        "name": "in/0.png",
        "reason": "too_small",
        "message": "40 x 40 pixels, fewer than 2,000; see --min-pixels",
    }


def test_boxes_beyond_the_edge_are_told(cli: Cli, images: Path) -> None:
    (images / "list.jsonl").write_text('{"image": "0.png", "boxes": {"cat": [0, 0, 90, 40]}}')
    outcome = cli("dataset", "ingest", "in/list.jsonl")
    assert (outcome.code, outcome.out) == (0, "1 file: 1 new image, 0 known by content\n")
    assert "boxes beyond the edge, none taken: in/0.png; correct the manifest" in outcome.err


def test_rendered_scenes_come_with_prompt_and_boxes(cli: Cli, tmp_path: Path) -> None:
    cli("scenes", "render", "out", "--count", "2", "--size", "64")
    assert cli("dataset", "ingest", "out/manifest.jsonl", "-w", "w").code == 0
    import sqlite3

    connection = sqlite3.connect(tmp_path / "w" / "anomagent.db")
    (sources,) = connection.execute("SELECT count(*) FROM sources WHERE source = 'scenes' AND prompt > ''").fetchone()
    (boxes,) = connection.execute("SELECT count(*) FROM object_boxes").fetchone()
    connection.close()
    assert (sources, boxes > 2) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["nowhere"], "nowhere: no such file or folder"),
        (["in", "--source", " "], "--source ' ': give a name of 1 to 200"),
        (["in", "--min-pixels", "-1"], "--min-pixels -1: must be 0 or more"),
        (["in", "--max-aspect", "nan"], "--max-aspect nan: must be 1 or more"),
        (["in", "--report", "nowhere/a.csv"], "cannot write nowhere/a.csv"),
    ],
    ids=str,
)
def test_wrong_use_is_one_line_and_nothing_is_done(
    cli: Cli, images: Path, arguments: list[str], message: str, tmp_path: Path
) -> None:
    outcome = cli("dataset", "ingest", *arguments)
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)
    assert message in outcome.err
    assert not (tmp_path / "anomagent-workspace").exists()
