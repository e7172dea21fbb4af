import json
from pathlib import Path

from tests.cli.conftest import Cli


def test_scenes_are_rendered_and_counted(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("scenes", "render", "out", "--count", "2", "--seed", "5", "--size", "64")

    assert outcome.code == 0
    assert outcome.out.startswith("out: 2 scenes, ")
    assert set(json.loads((tmp_path / "out" / "annotations.json").read_text())) == {"scene-5.png", "scene-6.png"}


def test_foreign_folder_needs_force(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("x")

    assert cli("scenes", "render", "out", "--count", "1", "--size", "64").code == 2
    assert cli("scenes", "render", "out", "--count", "1", "--size", "64", "--force").code == 0
    assert (tmp_path / "out" / "thesis.tex").exists()
