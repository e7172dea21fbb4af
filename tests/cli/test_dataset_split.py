import json
import sys
from pathlib import Path

import pytest

from anomagent.store import Workspace
from tests.cli.conftest import Cli
from tests.dataset.near import add_picture, scenery


@pytest.fixture
def filled(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "anomagent-workspace")
    for seed in range(6):
        add_picture(workspace, f"{seed}.png", scenery(seed), "same prompt" if seed < 2 else f"prompt {seed}")
    return workspace


def test_split_tells_its_shares_and_writes_its_file(cli: Cli, filled: Workspace) -> None:
    outcome = cli("dataset", "split", "--ratio", "train=1", "--out", "split.json")
    assert (outcome.code, outcome.err) == (0, "wrote split.json\n")
    assert outcome.out.splitlines() == [
        "train              6  100.00%, asked for 100.00%",
        "split default: 6 images placed now; 1 group kept together, the largest of 2",
    ]
    assert len(json.loads(Path("split.json").read_text())["train"]) == 6


def test_a_clash_is_code_3(cli: Cli, filled: Workspace) -> None:
    Path("official.json").write_text(json.dumps({"train": ["0.png"], "test": ["1.png"]}))
    outcome = cli("dataset", "split", "--file", "official.json", "--unlisted", "leave", "--json")
    said = json.loads(outcome.out)
    assert (outcome.code, said["clashes"], said["placed"], said["without_part"]) == (3, 1, 2, 4)
    assert "clash: 0.png (train), 1.png (test) belong together" in cli("dataset", "split").err


def test_leakage_of_a_workspace(cli: Cli, filled: Workspace) -> None:
    assert "it has none yet; run `anomagent dataset split`" in cli("dataset", "leakage").err
    cli("dataset", "split")
    outcome = cli("dataset", "leakage")
    assert outcome.code == 0
    assert "prompts: 0 images affected of 6 checked" in outcome.out
    assert "annotations: not checked" in outcome.out


def test_leakage_of_files(cli: Cli, tmp_path: Path) -> None:
    Path("split.json").write_text(json.dumps({"train": ["a.png"], "test": ["b.png", "c.png"]}))
    Path("list.csv").write_text('image,prompt\na.png,"A [bold]dog"\nb.png,a [bold]dog!\nc.png,a cat\n')

    outcome = cli("dataset", "leakage", "--split", "split.json", "--prompts", "list.csv")
    assert outcome.code == 3
    assert "prompts: 1 image affected of 3 checked\n  test b.png ~ train a.png: a bold dog\n" in outcome.out
    assert "test: 1 of 2 images affected (50.00%)" in outcome.out

    said = json.loads(cli("dataset", "leakage", "--split", "split.json", "--prompts", "list.csv", "--json").out)
    assert said["affected"] == {"train": {"images": 0, "share": 0.0}, "test": {"images": 1, "share": 0.5}}
    assert said["kinds"]["near-duplicates"] == {"affected": 0, "checked": 0, "not_checked": 3}
    assert said["findings"][0]["shared"] == "a bold dog"

    Path("none").mkdir()
    outcome = cli("dataset", "leakage", "--split", "split.json", "--images", "none")
    assert (outcome.code, "nothing could be checked" in outcome.err) == (2, True)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("split", "--unknown", "skip"), "--unknown and --unlisted go with --file"),
        (("split", "--force"), "--force goes with --out"),
        (("split", "--keys", "path"), "--keys goes with --out"),
        (("leakage", "--common", "20"), "Invalid value for '--common'"),
        (("split", "--group", "colours"), "--group colours: no kind 'colours'; known: near-duplicates, prompts"),
        (("split", "--ratio", "train=x"), "--ratio train=x: 'x' is no share"),
        (("split", "--file", "gone.json"), "gone.json: no such file"),
        (("leakage", "--images", "x"), "--images, --annotations and --prompts go with --split FILE"),
        (("leakage", "--split", "x"), "--split x: "),
        (("leakage", "--split", "x", "--name", "y"), "--split FILE and a workspace's --name exclude each other"),
        (("leakage", "--kind", "style"), "--kind style: no kind 'style'"),
    ],
)
def test_wrong_use(arguments: tuple[str, ...], message: str, cli: Cli, filled: Workspace) -> None:
    outcome = cli("dataset", *arguments)
    assert outcome.code == 2
    assert outcome.err.startswith(f"anomagent: {message}")
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("command", ["dedupe", "split", "leakage"])
def test_without_the_packages_that_compare(
    command: str, cli: Cli, filled: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    outcome = cli("dataset", command)
    assert outcome.code == 2
    assert outcome.err == f"anomagent: {command} needs more packages: pip install 'anomagent[local]'\n"


def test_whole_names_go_out_and_come_in(cli: Cli, filled: Workspace) -> None:
    add_picture(filled, "other/0.png", scenery(9))
    outcome = cli("dataset", "split", "--out", "split.json")
    assert outcome.err.endswith("are called '0.png'; give --keys path, or drop or rename one\n")
    assert cli("dataset", "split", "--out", "split.json", "--keys", "path").code == 0
    assert "7 images placed now" in cli("dataset", "split", "--name", "again", "--file", "split.json").out
