import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.store import ingest_image, save_analysis, start_run
from tests.cli.conftest import Cli
from tests.report.examples import picture, result_of, workspace_in

ENTRY = {"Name": "Leg", "Observed Phenomenon": "Three.", "Reasoning": "Two.", "Severity Score": "10/100"}


PLACED = "newly placed by the split: {}; not named by it: 0; names of no image in it: 0"


def prepare(tmp_path: Path, content: Any) -> None:
    (tmp_path / "images").mkdir()
    for name, colour in (("a.png", "red"), ("b.png", "blue")):
        (tmp_path / "images" / name).write_bytes(picture(colour))
    (tmp_path / "x.json").write_text(json.dumps(content))
    (tmp_path / "split.json").write_text(json.dumps({"train": ["a.png"], "test": ["b.png"]}))


def test_import_review_and_export(cli: Cli, tmp_path: Path) -> None:
    prepare(tmp_path, {"a.png": [ENTRY], "b.png": []})
    arguments = ("dataset", "import", "x.json", "--images", "images", "--reviewed-by", "ann", "--split", "split.json")

    first = cli(*arguments)
    assert (first.code, first.out) == (0, "")
    said = first.err.splitlines()
    assert said[0] == "imported 2 analyses with 1 anomalies; 0 images as before"
    assert said[2:] == ["answers recorded: 1", PLACED.format(2)]

    again = cli(*arguments, "--json")
    told = json.loads(again.out)
    assert (told["run"], told["new"], told["unchanged"], told["answers"], told["assigned"]) == (None, 0, 2, 0, 0)

    assert cli("dataset", "export", "out", "--split", "default", "--shape", "project-page").code == 0
    entry = {"name": "Leg", "phenomenon": "Three.", "reasoning": "Two.", "severity": 10}
    assert json.loads((tmp_path / "out" / "train.json").read_text()) == {"a.png": [entry]}
    shown = cli("show", "a.png")
    assert (shown.code, "imported" in shown.out) == (0, True)
    stored = cli("dataset", "import", "x.json", "--source", "flux")
    assert stored.code == 0, "without --images the workspace's own are matched"


def test_what_is_left_out_is_counted(cli: Cli, tmp_path: Path) -> None:
    prepare(tmp_path, {"a.png": [ENTRY, {}], "c.png": [], "b.png": [{}]})
    skip = ("--missing-images", "skip", "--bad-entries", "skip")
    outcome = cli("dataset", "import", "x.json", "--images", "images", *skip)
    assert outcome.code == 3
    assert outcome.err.splitlines()[-1] == (
        "anomagent: images: 1 without an image (left out), 1 without a list that can be read (left out), "
        "1 with entries that cannot be read"
    )


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "nothing there"),
        (("--images", "nowhere"), "no such file"),
        (("--images", "images"), "--missing-images skip"),
        (("--images", "images", "--missing-images", "skip", "--bad-entries", "error"), "--bad-entries skip"),
        (("--images", "images", "--reviewed-by", " "), "--reviewed-by"),
        (("--images", "images", "--reviewed-by", "a\nb"), "--reviewed-by"),
        (("--images", "images", "--reviewed-by", "x" * 81), "1 to 80 characters"),
        (("--images", "images", "--source", ""), "--source"),
        (("--images", "images", "--source", "a\x1bb"), "--source"),
        (("--images", "images", "--split-name", "x"), "--split-name belongs to --split"),
        (("--images", "images", "--unknown", "skip"), "--unknown belongs to --split"),
        (("--images", "images", "--unlisted", "leave"), "--unlisted belongs to --split"),
        (("--images", "images", "--split", "x.json"), "is no split"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    bad = [{}] if "--bad-entries" in arguments else []
    prepare(tmp_path, {"a.png": [ENTRY, *bad], "c.png": []})
    outcome = cli("dataset", "import", "x.json", *arguments)
    assert (outcome.code, outcome.err.count("\n"), outcome.out) == (2, 1, "")
    assert message in outcome.err


def test_a_split_is_taken_as_by_the_command_of_its_own(cli: Cli, tmp_path: Path) -> None:
    prepare(tmp_path, {"a.png": [ENTRY], "b.png": []})
    (tmp_path / "split.json").write_text(json.dumps({"train": ["a.png", "gone.png"], "test": []}))
    arguments = ("dataset", "import", "x.json", "--images", "images", "--split", "split.json")
    refused = cli(*arguments)
    assert (refused.code, "1 name ('gone.png') that no image of the workspace has" in refused.err) == (2, True)
    told = json.loads(cli(*arguments, "--unknown", "skip", "--unlisted", "leave", "--json").out)
    assert (told["assigned"], told["unlisted"], told["unknown"]) == (1, 1, 1)


def test_an_analysis_since_is_said(cli: Cli, tmp_path: Path) -> None:
    prepare(tmp_path, {"a.png": [ENTRY]})
    assert cli("dataset", "import", "x.json", "--images", "images").code == 0
    (tmp_path / "y.json").write_text(json.dumps({"a.png": []}))
    assert cli("dataset", "import", "y.json").err.startswith("imported 1 analyses")
    assert cli("dataset", "import", "x.json").err.startswith("imported 1 analyses"), "the last import said otherwise"
    workspace = workspace_in(tmp_path)
    content = (tmp_path / "images" / "a.png").read_bytes()
    sha256 = ingest_image(workspace, content, "a.png")["sha256"]
    save_analysis(workspace, start_run(workspace, "run", {}, "hash"), result_of(sha256, "a.png"))
    again = cli("dataset", "import", "x.json")
    assert (again.code, "1 as before, but analysed since" in again.err) == (0, True)
