"""What `evaluate` writes: after the figures are printed, each file whole or not at all; and the pictures it finds."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from anomagent.errors import UsageError
from anomagent.evaluation.evaluate import Evaluation
from anomagent.store import Workspace
from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import Page, entry, images, write
from tests.evaluation.similarity.tiny import LAYER, save

Evaluate = Callable[..., Outcome]


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save("bert", tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def evaluate(cli: Cli, backbone: str) -> Evaluate:
    return lambda *arguments: cli("evaluate", *arguments, "--backbone", backbone, "--layer", LAYER, "--no-cache")


@pytest.mark.parametrize(
    ("writer", "option"),
    [
        ("anomagent.cli.score_files.write_folder", ("--out", "out")),
        ("anomagent.report.evaluation.write_evaluation", ("--html", "page.html")),
    ],
)
def test_figures_are_printed_before_anything_is_written(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, writer: str, option: tuple[str, str]
) -> None:
    def full(*_: object) -> None:
        raise UsageError("cannot write: No space left on device")

    monkeypatch.setattr(writer, full)
    side = write("p.json", images(a=["x"]))

    outcome = evaluate(side, side, *option, "--json")

    assert (outcome.code, outcome.err) == (2, "anomagent: cannot write: No space left on device\n")
    assert json.loads(outcome.out)["SemF1"]["Full"] == 1.0


def test_the_workspaces_row_comes_last(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    order: list[str] = []
    Workspace.open("anomagent-workspace")
    monkeypatch.setattr("anomagent.cli.evaluate._show", lambda *_: order.append("print"))
    monkeypatch.setattr("anomagent.cli.score_files.write_folder", lambda *_: order.append("folder"))
    monkeypatch.setattr("anomagent.report.evaluation.write_evaluation", lambda *_: order.append("page"))
    monkeypatch.setattr("anomagent.cli.evaluate._keep", lambda *_: order.append("row"))
    side = write("p.json", images(a=["x"]))

    assert evaluate(side, side, "--out", "out", "--html", "page.html").code == 0
    assert order == ["print", "folder", "page", "row"]


def test_result_and_curve_are_whole_or_as_they_were(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    side = write("p.json", images(a=["x"]))
    assert evaluate(side, side, "--out", "out", "--curve").code == 0
    before = {file.name: file.read_bytes() for file in Path("out").iterdir()}
    assert before.keys() == {"result.json", "curve.svg", "images.csv", "matches.csv"}

    def half(path: Path, content: bytes) -> int:
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", half)
    outcome = evaluate(side, side, "--out", "out", "--curve")

    assert outcome.code == 2
    assert "cannot write into out: No space left on device" in outcome.err
    assert {file.name: file.read_bytes() for file in Path("out").iterdir()} == before


def test_curve_is_calculated_once(evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Evaluation] = []
    curve = Evaluation.curve
    monkeypatch.setattr(Evaluation, "curve", lambda self: asked.append(self) or curve(self))
    side = write("p.json", images(a=["x"]))

    outcome = evaluate(side, side, "--curve", "--out", "out", "--html", "page.html", "--json")

    assert (outcome.code, len(asked)) == (0, 1)
    assert len(json.loads(outcome.out)["curve"]) == 30


@pytest.mark.parametrize(("key", "shown"), [("flux/a.png", True), ("a.png", False), ("other/a.png", False)])
def test_pages_show_the_right_image_or_none(evaluate: Evaluate, tmp_path: Path, key: str, shown: bool) -> None:
    for folder in ("flux", "sana"):
        (tmp_path / "pictures" / folder).mkdir(parents=True)
        Image.new("RGB", (8, 6), "red").save(tmp_path / "pictures" / folder / "a.png")
    sides = write("p.json", {"a.png": [entry("x")]}), write("t.json", {key: [entry("x")]})

    assert evaluate(*sides, "--html", "page.html", "--images", "pictures").code == 0

    assert bool(Page.read("page.html").pictures("png")) is shown


def test_links_out_of_the_pictures_are_refused_before_any_work(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    (tmp_path / "secret.png").write_bytes(b"")
    (tmp_path / "pictures" / "a.png").symlink_to(tmp_path / "secret.png")
    side = write("p.json", images(a=["x"]))

    outcome = evaluate(side, side, "--html", "page.html", "--images", "pictures")

    assert (outcome.code, outcome.out) == (2, "")
    assert "is a link out of" in outcome.err


def test_files_without_a_label_are_named(evaluate: Evaluate, tmp_path: Path) -> None:
    (tmp_path / "labels" / "1_fake").mkdir(parents=True)
    for name in ("a.png", "b.heic"):
        (tmp_path / "labels" / "1_fake" / name).touch()
    side = write("p.json", {"a.png": {"answer": "yes", "anomalies": [entry("x")]}})

    outcome = evaluate(side, side, "--deepfake", "labels", "--json")

    assert json.loads(outcome.out)["judged"] == 1
    assert "labels: 1 file not called like an image, so without a label: labels/1_fake/b.heic" in outcome.err
