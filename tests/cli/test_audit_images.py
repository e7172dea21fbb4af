"""`audit` of images that are analysed first, with the embedded model on rendered scenes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from shutil import copy
from typing import Any

import pytest

from anomagent.scenes.render import render
from anomagent.store import Workspace
from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import Page, assert_harmless, refused, script, write

Audit = Callable[..., Outcome]


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return sorted((render(3, 7, tmp_path_factory.mktemp("scenes") / "out", 96).folder / "images").iterdir())


@pytest.fixture
def audit(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Audit:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda *arguments: cli("audit", "--bootstrap", 100, "--schedule", "direct", *arguments)


def audited(outcome: Outcome, code: int = 0) -> dict[str, Any]:
    assert outcome.code == code, outcome.err
    return json.loads(outcome.out)


def _calls() -> int:
    with Workspace.open("anomagent-workspace").reading() as connection:
        return connection.execute("SELECT count(*) FROM calls").fetchone()[0]


@pytest.fixture
def folders(scenes: list[Path], tmp_path: Path) -> str:
    """Generator m has one scene, n has the same one, another, and a file that is no image."""
    for name, chosen in (("m", scenes[:1]), ("n", scenes[:2])):
        (tmp_path / "generators" / name).mkdir(parents=True)
        for scene in chosen:
            copy(scene, tmp_path / "generators" / name)
    (tmp_path / "generators" / "n" / "broken.png").write_text("no image")
    return "generators"


def test_folders_are_generators_and_nothing_is_paid_twice(audit: Audit, folders: str) -> None:
    first = audit(folders, "--json", "--html", "page.html")

    found = audited(first, code=3)
    counted = {one["generator"]: (one["images"], one["failures"]) for one in found["generators"]}
    assert counted == {"m": (1, 0), "n": (2, 1)}
    assert "n: n/broken.png failed: " in first.err
    assert "analysing 4 images, schedule direct, model embedded" in first.err
    assert _calls() == 2  # two different images
    page = Page.read("page.html")
    assert_harmless(page)
    assert page.pictures("png") + page.pictures("jpeg") > 0  # from the folders themselves

    again = audit(folders, "--json")
    assert (audited(again, code=3), _calls()) == (found, 2)


def test_manifest_of_images_is_compared_prompt_by_prompt(audit: Audit, scenes: list[Path], tmp_path: Path) -> None:
    for scene in scenes:
        copy(scene, tmp_path)
    one, two, three = (scene.name for scene in scenes)
    Path("m.csv").write_text(f"image,prompt,generator\n{one},a cat,m\n{two},a cat,n\n{three},a dog,n\n")

    found = audited(audit("m.csv", "--json"))

    assert found["paired"]["prompts"] == 1
    assert {one["generator"]: one["prompts_known"] for one in found["paired"]["generators"]} == {"m": 1, "n": 2}


def test_results_stand_beside_images(audit: Audit, folders: str) -> None:
    files = write("silent.json", {"a.png": []})

    found = audited(audit(f"both={folders}", files, "--json"), code=3)

    assert {one["generator"]: one["images"] for one in found["generators"]} == {"both": 3, "silent": 1}


def test_equal_names_are_refused_before_anything_is_analysed(audit: Audit, folders: str) -> None:
    model = script({"reply": {"anomalies": []}}, role="DirectDetector")

    outcome = audit(f"m={folders}/m", f"m={folders}/n", "--model", model)
    assert outcome.code == 2
    assert "two generators are called 'm'; give each its own name: NAME=PATH" in outcome.err
    assert not Path("anomagent-workspace").exists()


def test_failed_calls_are_failures_of_their_images(audit: Audit, folders: str) -> None:
    model = script({"error": "refused", "text": "not this"}, role="DirectDetector")

    outcome = audit(folders, "--model", model, "--json", "--html", "page.html")

    found = audited(outcome, code=3)
    assert [(one["images"], one["failures"], one["mai"]) for one in found["generators"]] == [(0, 1, None), (0, 3, None)]
    assert "m: m/scene-7.png failed: not this" in outcome.err
    assert "0 images with a result, 4 failed and in no mean" in Page.read("page.html").text


def test_analysis_in_part_is_a_result_and_code_3(audit: Audit, folders: str) -> None:
    objects = {"reply": {"objects": [{"name": "chair", "description": "a red chair"}]}}
    rules = [
        {"role": "ObjectPerceiver", "says": [objects]},
        {"role": "AttributeAnalyzer", "says": [{"error": "refused", "text": "no chairs"}]},
    ]
    model = f"fake:{write('rules.json', {'rules': rules})}"

    outcome = audit(f"{folders}/m", "--model", model, "--schedule", "lean", "--json")

    found = audited(outcome, code=3)
    assert (
        found["generators"][0]["partial"],
        found["generators"][0]["images"],
        found["generators"][0]["failures"],
    ) == (1, 1, 0)
    assert "scene-7.png failed in part: no chairs" in outcome.err


def test_options_of_results_and_of_folders_are_refused_elsewhere(audit: Audit, folders: str) -> None:
    Path("m.csv").write_text(f"image,prompt\n{folders}/m/scene-7.png,a cat\n")

    assert "--manifest belongs to results" in refused(audit(folders, "--manifest", "m.csv"))
    assert "--prompts belongs to folders of images" in refused(audit("m.csv", "--prompts", "prompts.json"))
    assert not Path("anomagent-workspace").exists()


def test_folder_without_images_is_refused(audit: Audit, tmp_path: Path) -> None:
    (tmp_path / "texts").mkdir()
    (tmp_path / "texts" / "notes.txt").write_text("x")

    assert "no images in 1 file" in refused(audit("texts"))
