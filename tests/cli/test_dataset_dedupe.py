import json
from pathlib import Path

import pytest

from anomagent.store import Workspace
from tests.cli.conftest import Cli
from tests.dataset.near import add_picture, lose_file, scenery


@pytest.fixture
def filled(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "anomagent-workspace")
    add_picture(workspace, "big.png", scenery(1))
    add_picture(workspace, "[red]small\x1b[0m.png", scenery(1).resize((90, 90)))
    add_picture(workspace, "other.png", scenery(2))
    return workspace


def test_groups_are_shown_and_nothing_is_dropped(cli: Cli, filled: Workspace) -> None:
    outcome = cli("dataset", "dedupe")
    assert outcome.code == 0
    stays, goes, total = outcome.out.splitlines()[1:]
    assert stays.startswith("  stays  big.png  0.07 MP")
    assert "[red]small" in goes
    assert "\x1b" not in outcome.out
    assert total == "3 images, 1 group, 1 near-duplicate would go; --apply drops them"


def test_apply(cli: Cli, filled: Workspace) -> None:
    assert "1 near-duplicate dropped" in cli("dataset", "dedupe", "--apply", "--show", "0").out
    outcome = cli("dataset", "dedupe", "--json")
    said = json.loads(outcome.out)
    assert (said["dropped_before"], said["groups"], said["groups_shown"], said["applied"]) == (1, 0, [], False)


def test_json_has_the_groups(cli: Cli, filled: Workspace) -> None:
    (group,) = json.loads(cli("dataset", "dedupe", "--json").out)["groups_shown"]
    assert group["kept"]["names"] == ["big.png"]
    assert group["dropped"][0]["distance"] <= 2


def test_what_cannot_be_read_is_code_3(cli: Cli, filled: Workspace) -> None:
    lose_file(filled, add_picture(filled, "lost.png", scenery(4)))
    outcome = cli("dataset", "dedupe")
    assert outcome.code == 3
    assert "not compared: lost.png: " in outcome.err


def test_wrong_use(cli: Cli, filled: Workspace) -> None:
    assert cli("dataset", "dedupe", "--score", "photo").err.startswith("anomagent: --score goes with --keep best-score")
    assert "--score-model goes with --keep best-score" in cli("dataset", "dedupe", "--score-model", "x").err
    assert "no image has a score 'realism'" in cli("dataset", "dedupe", "--keep", "best-score").err
    assert cli("dataset", "dedupe", "--distance", "17").code == 2
    assert "nothing there" in cli("dataset", "dedupe", "-w", "elsewhere").err
