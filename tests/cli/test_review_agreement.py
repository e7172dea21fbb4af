import json
import sys
from pathlib import Path

import pytest

from anomagent.state.reviews import Answer, Verdict
from anomagent.store import Workspace
from anomagent.store.reviews import append_answers
from tests.cli.conftest import Cli
from tests.review.conftest import fill


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "workspace")
    fill(workspace)
    said: dict[str, list[Verdict]] = {
        "[bold]Ann": ["ACCEPT", "ACCEPT", "REJECT", "ACCEPT"],
        "Bob\x1b[31m": ["ACCEPT", "UNSURE", "REJECT", "ACCEPT"],
    }
    answers = [
        Answer(id=f"answer-{n}-{ord(name[0])}", anomaly=n, annotator=name, verdict=verdict, seconds=6)
        for name, verdicts in said.items()
        for n, verdict in enumerate(verdicts, start=1)
    ]
    append_answers(workspace, answers)
    return workspace


def test_tables(cli: Cli, workspace: Workspace) -> None:
    outcome = cli("review", "agreement", "--workspace", workspace.path)
    assert outcome.code == 0
    assert "4 candidates with standing answers, 4 with answers of two or more annotators" in outcome.out
    # They agree on three of four; markup and terminal codes in names are letters.
    assert "0.750" in outcome.out
    flowing = " ".join(outcome.out.split())
    assert "Bob[31m, [bold]Ann (raw, Cohen, Fleiss, alpha, AC1): 2 images with two answers: too few" in flowing
    assert "\x1b" not in outcome.out
    # Four answers of 6 s each are 600 an hour.
    assert "600" in outcome.out


def test_json_and_binary(cli: Cli, workspace: Workspace) -> None:
    outcome = cli("review", "agreement", "-w", workspace.path, "--binary", "--json", "--bootstrap", 100, "--seed", 5)
    report = json.loads(outcome.out)
    assert (report["categories"], report["resamples"], report["seed"]) == (["ACCEPT", "REJECT"], 100, 5)
    assert report["pairs"][0]["raw"]["value"] == 1
    assert (report["pairs"][0]["items"], report["pairs"][0]["missing"]) == (3, 1)


def test_the_workspace_may_stand_before_the_command(cli: Cli, workspace: Workspace) -> None:
    assert cli("review", "-w", workspace.path, "agreement", "--json").code == 0


def test_without_numpy_it_says_what_to_install(cli: Cli, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anomagent.review.agreement", None)
    outcome = cli("review", "agreement", "-w", workspace.path)
    assert outcome.code == 2
    assert "pip install 'anomagent[local]'" in outcome.err


def test_wrong_use(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    outcome = cli("review", "agreement", "-w", workspace.path, "--bootstrap", 5)
    assert (outcome.code, outcome.out) == (2, "")
    assert "5 resamples are too few" in outcome.err
    assert cli("review", "agreement", "-w", workspace.path, "--run", "none").code == 2
    empty = Workspace.open(tmp_path / "empty")
    assert "no image is analysed yet" in cli("review", "agreement", "-w", empty.path).err
    fill(empty)
    outcome = cli("review", "agreement", "-w", empty.path)
    assert outcome.code == 2
    assert "nobody has answered yet; begin with `anomagent review`" in outcome.err
