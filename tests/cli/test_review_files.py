import json
from pathlib import Path

import pytest

from anomagent.state.reviews import Answer
from anomagent.store import Workspace
from anomagent.store.reviews import append_answers, read_answers
from tests.cli.conftest import Cli
from tests.review.conftest import fill


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "workspace")
    fill(workspace)
    append_answers(workspace, [Answer(id="answer-1", anomaly=2, annotator="Ann", verdict="ACCEPT", note="=1+1")])
    return workspace


def test_out_and_in_again(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    flags = ("--workspace", workspace.path)
    out = tmp_path / "review.csv"
    exported = cli("review", "export", out, *flags)
    assert (exported.code, exported.out) == (0, "")
    assert f"wrote {out}: 6 candidates, 1 answers" in exported.err
    assert '"=1+1"' in out.read_text()
    assert cli("review", "export", out, *flags).code == 2
    assert cli("review", "export", out, *flags, "--force").code == 0
    imported = cli("review", "import", out, *flags, "--json")
    assert imported.code == 0
    assert json.loads(imported.out)["known"] == 1


def test_label_studio_has_its_configuration_beside(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "tasks.json"
    flags = ("-w", workspace.path, "--format", "label-studio", "--images", "none", "--with-answers", "--json")
    done = json.loads(cli("review", "export", out, *flags).out)
    assert done == {"file": str(out), "config": str(tmp_path / "tasks.xml"), "candidates": 6, "answers": 1}
    assert len(json.loads(out.read_text())) == 6


def test_what_is_left_out_is_said(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "review.csv"
    cli("review", "export", out, "-w", workspace.path)
    smaller = Workspace.open(tmp_path / "smaller")
    fill(smaller, images=1)
    with smaller.writing() as connection:
        connection.execute("UPDATE anomalies SET reasoning = 'Something else.'")
    refused = cli("review", "import", out, "-w", smaller.path)
    assert refused.code == 2
    assert "line 3: candidate 2 is another one here, or was changed in the file; " in refused.err
    skipped = cli("review", "import", out, "-w", smaller.path, "--skip-unknown")
    assert skipped.code == 3
    assert "left out: 1 unknown or changed candidates" in skipped.err
    assert read_answers(smaller) == []


def test_wrong_use(cli: Cli, workspace: Workspace, tmp_path: Path) -> None:
    flags = ("-w", workspace.path)
    for arguments, message in (
        (("import", tmp_path / "none.csv"), "no such file"),
        (("import", tmp_path / "none.csv", "--annotator", "7="), "names nobody"),
        (("export", tmp_path), "exists"),
        (("export", tmp_path / "a", "--images", "ftp"), "neither paths, none nor an address"),
        (("export", tmp_path / "a", "--run", "x"), "no run 'x'"),
        (("export", tmp_path / "a", "--format", "xml"), "--format"),
    ):
        outcome = cli("review", *arguments, *flags)
        assert outcome.code == 2
        assert message in outcome.err
