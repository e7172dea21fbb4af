import json
from pathlib import Path

import pytest
from PIL import Image

from anomagent.store import Workspace
from anomagent.store.duplicates import Duplicate, read_standing, save_duplicates
from anomagent.store.image_scores import scored_images
from anomagent.store.selections import kept_images
from anomagent.store.steps import dataset_step
from tests.cli.conftest import Cli
from tests.dataset.clip_model import make_clip

pytest.importorskip("torch")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("models") / "tiny"
    make_clip(path)
    return path


@pytest.fixture
def filled(cli: Cli, tmp_path: Path) -> Path:
    (tmp_path / "in").mkdir()
    for shade in range(4):
        Image.linear_gradient("L").rotate(90 * shade).save(tmp_path / "in" / f"{shade}.png")
    (tmp_path / "in" / "list.csv").write_text("image,prompt\n0.png,a cat\n")
    cli("dataset", "ingest", "in", "in/list.csv")
    return tmp_path


def kept(folder: Path) -> int:
    return len(list(kept_images(Workspace.open(folder / "anomagent-workspace"))))


def test_histograms_first_and_the_decision_when_asked_for(cli: Cli, filled: Path, model: Path) -> None:
    shown = cli("dataset", "filter", "--model", model, "--realism-min", "1")
    assert shown.code == 0
    assert "realism: 4 images, 4 below 1" in shown.out
    assert "prompt similarity: 1 image\n" in shown.out
    assert "0 of 4 images would stay, 4 go" in shown.out
    assert "3 images without a prompt" in shown.out
    assert "4 images measured now; nothing is decided without --apply" in shown.err
    assert kept(filled) == 4

    applied = cli("dataset", "filter", "--model", model, "--realism-min", "1", "--apply")
    assert "0 of 4 images stay, 4 go" in applied.out
    first, second = applied.err.splitlines()
    assert first == "0 images measured now"
    assert second.startswith("these scores are called ")
    assert kept(filled) == 0

    assert "all stay" in cli("dataset", "filter", "--model", model, "--apply").out
    assert kept(filled) == 4


def test_figures_as_json_and_as_a_picture(cli: Cli, filled: Path, model: Path) -> None:
    outcome = cli("dataset", "filter", "--model", model, "--json", "--plot", "p.png", "--batch-size", "3")
    said = json.loads(outcome.out)
    assert (said["measured"], said["kept"], said["without_prompt"], said["new"]) == (4, 4, 3, 4)
    assert len(said["model"]) == 16  # a hash of the model's content
    assert sum(said["histograms"]["photo"]["counts"]) == 4
    assert (filled / "p.png").read_bytes().startswith(b"\x89PNG")


def test_groups_that_lose_the_image_that_stands_for_them_are_told_of(cli: Cli, filled: Path, model: Path) -> None:
    store = Workspace.open(filled / "anomagent-workspace")
    scores = json.loads(cli("dataset", "filter", "--model", model, "--json").out)["model"]
    by_realism = {
        image.sha256: value
        for image in scored_images(store, scores)
        for (score, _), value in image.scores.items()
        if score == "realism"
    }
    *_, better, best = sorted(by_realism, key=by_realism.__getitem__)
    least = (by_realism[better] + by_realism[best]) / 2  # the best one alone is above it
    with dataset_step(store, "dedupe", {}) as step:
        rows = [Duplicate(0, better, True, "m", None), Duplicate(0, best, False, "m", 1)]
        save_duplicates(store, step, [(best, False, "near")], rows, read_standing(store))
    outcome = cli("dataset", "filter", "--model", model, "--realism-min", least)
    assert "images that stood for groups of near-duplicates and would go: 1; `anomagent dataset dedupe" in outcome.err


def test_copies_that_cannot_be_read_are_code_3(cli: Cli, filled: Path, model: Path) -> None:
    next((filled / "anomagent-workspace" / "images").glob("*/*.png")).write_bytes(b"x")
    outcome = cli("dataset", "filter", "--model", model)
    assert outcome.code == 3
    assert "not a readable image" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--model", "./nowhere"], "CLIP model ./nowhere cannot be used: there is no such directory"),
        (["--model", "in"], "CLIP model in cannot be used"),
        (["--model", "in", "--realism-min", "nan"], "--realism-min nan: must be between 0 and 1"),
        (["--model", "in", "--plot", "a.doc"], "--plot a.doc"),
        (["--model", "in", "-w", "nowhere"], "nothing there"),
    ],
    ids=str,
)
def test_wrong_use_is_one_line(cli: Cli, filled: Path, arguments: list[str], message: str) -> None:
    outcome = cli("dataset", "filter", *arguments)
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)
    assert message in outcome.err
