"""`anomagent finetune data`, as its user calls it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomagent.store import Workspace
from tests.cli.conftest import Cli
from tests.dataset.filling import add, begin, judge
from tests.dataset.filling import anomaly as stored
from tests.finetune.material import annotated, entry

SAID = {"a.png": [entry("leg"), entry("arm")], "b.png": []}


def files(folder: Path) -> tuple[str, ...]:
    """The arguments that name annotations and images."""
    pair = annotated(folder, SAID)
    return "--annotations", str(pair.said), "--images", str(pair.images), "--model", "embedded"


def test_a_table_on_stdout_and_the_rest_on_stderr(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("finetune", "data", "out", *files(tmp_path), "--export", "trl,llava", "--export", "ms-swift")

    assert outcome.code == 0, outcome.err
    assert outcome.err == "wrote out: train.jsonl, data.json, samples.md\n"
    assert "at most 4,096 an instance" in " ".join(outcome.out.split())
    (row,) = [line.split() for line in outcome.out.splitlines() if line.strip().startswith("train  ")]
    assert row[:7] == ["train", "2", "2", "2", "0", "1", "0"]
    assert "train: instances by tokens" in outcome.out
    assert "█" in outcome.out
    folders = sorted(path.name for path in (tmp_path / "out").iterdir() if path.is_dir())
    assert folders == ["llava", "ms-swift", "trl"]


def test_the_report_as_json(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("finetune", "data", "out", *files(tmp_path), "--json", "--recipe", "two-turn", "--seed", "3")
    assert json.loads(outcome.out) == json.loads((tmp_path / "out" / "data.json").read_text())
    assert json.loads(outcome.out)["settings"].items() >= {"recipe": "two-turn", "seed": 3, "wordings": 5}.items()


def test_losses_are_named_and_have_an_exit_code(cli: Cli, tmp_path: Path) -> None:
    arguments = files(tmp_path)
    (tmp_path / "annotations-images" / "b.png").unlink()
    assert cli("finetune", "data", "out", *arguments).code == 2
    outcome = cli("finetune", "data", "out", *arguments, "--missing", "skip")
    assert outcome.code == 3
    assert outcome.err.endswith("left out, missing: 1\nmissing: b.png: no file of this name\n")

    outcome = cli("finetune", "data", "other", *arguments, "--missing", "skip", "--empty", "skip")
    assert outcome.code == 3


def test_a_choice_is_no_loss(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("finetune", "data", "out", *files(tmp_path), "--empty", "skip")
    assert (outcome.code, "left out, no anomalies: 1" in outcome.err) == (0, True)


def test_a_workspace_is_the_default(cli: Cli, tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "anomagent-workspace")
    add(workspace, begin(workspace), "a.png", status="ok", anomalies=[stored("leg"), stored("arm")])
    judge(workspace, "leg", "ACCEPT")
    judge(workspace, "arm", "REJECT")
    outcome = cli("finetune", "data", "out", "--model", "embedded", "--preferences")
    assert outcome.code == 0, outcome.err
    assert "train: 1 preference pair\n" in outcome.out
    assert (tmp_path / "out" / "preferences" / "trl" / "train.jsonl").is_file()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--images", "x"), "--images belongs to --annotations"),
        (("--annotations", "x"), "--annotations belongs to --images"),
        (("--real", "x"), "--real belongs to --real-images"),
        (("--annotations", "x", "--images", "y", "-w", "z"), "exclude each other"),
        (("--wordings", "9"), "--wordings 9: there are 5"),
        (("--export", "torchtune"), "no trainer 'torchtune'; known: all, llama-factory"),
        (("--min-pixels", "9999999"), "is more than --max-pixels"),
        (("-w", "nowhere"), "nothing there"),
        (("--model", "nowhere/at/all"), "no tokenizer and image processor of a Qwen-VL model"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    Workspace.open(tmp_path / "anomagent-workspace")
    outcome = cli("finetune", "data", "out", "--model", "embedded", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1), outcome.err
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_names_are_printed_letter_by_letter(cli: Cli, tmp_path: Path) -> None:
    pair = annotated(tmp_path, {"[red]\x1b[31m.png": [entry("leg", severity="high")], "a.png": [entry("leg")]})
    arguments = ("--annotations", str(pair.said), "--images", str(pair.images), "--model", "embedded")
    for more in ((), ("--bad-entries", "skip")):
        outcome = cli("finetune", "data", "out", *arguments, *more)
        assert outcome.code == (3 if more else 2)
        assert "\x1b" not in outcome.err + outcome.out
        assert "[red]" in outcome.err


def test_missing_packages_are_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomagent.cli.finetune_data.find_spec", lambda name: None)
    outcome = cli("finetune", "data", "out", "--model", "embedded")
    assert (outcome.code, outcome.err) == (
        2,
        "anomagent: finetune data needs numpy: pip install 'anomagent[local]'\n",
    )
