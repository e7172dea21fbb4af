"""Recipes that cannot be done: one line, before anything begins."""

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

HEAD = 'workspace = "w"\n'


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[[step", "is not valid TOML"),
        ("", "holds no steps"),
        ("step = []", "holds no steps"),
        ("step = [3]", "holds no steps"),
        ('workspce = "x"', "unknown key 'workspce'"),
        ("workspace = 3", "workspace = 3 is no folder"),
        ('workspace = "a\\u0000"', "is no folder"),
        ("[[step]]", "step 1: has no key do"),
        ('[[step]]\ndo = "publish"', "step 1: do = 'publish' is no step; known: ingest,"),
        ('[[step]]\ndo = ["ingest"]', "do = ['ingest'] is no step"),
        ('[[step]]\ndo = "reviewed"\nby = "ada"', "reviewed takes no keys"),
        ('[[step]]\ndo = "ingest"', "step 1 (ingest): Missing argument"),
        ('[[step]]\ndo = "filter"', "step 1 (filter): Missing option '--model'"),
        ('[[step]]\ndo = "ingest"\npaths = ["gone"]', "paths: no such file or folder gone; it counts from "),
        ('[[step]]\ndo = "import"\nannotations = "gone.json"', "annotations: no such file or folder gone.json"),
        ('[[step]]\ndo = "dedupe"\nmin-pixels = 3', "unknown key 'min-pixels'; known: keep, distance,"),
        ('[[step]]\ndo = "dedupe"\nworkspace = "x"', "unknown key 'workspace'; write it once, above the steps"),
        ('[[step]]\ndo = "dedupe"\njson = true', "unknown key 'json'; give it to `build`"),
        ('[[step]]\ndo = "dedupe"\napply = "yes"', "apply: takes true or false"),
        ('[[step]]\ndo = "dedupe"\nkeep = true', "keep: does not take true or false"),
        ('[[step]]\ndo = "dedupe"\ndistance = 99', "step 1 (dedupe): Invalid value for '--distance'"),
        ('[[step]]\ndo = "dedupe"\nkeep = "best"', "step 1 (dedupe): Invalid value for '--keep'"),
        ('[[step]]\ndo = "split"\nratio = ["train=1"]', "ratio: takes one value, not a list"),
        ('[[step]]\ndo = "split"\nseed = 2020-01-01', "is no text, number, true or false"),
        ('[[step]]\ndo = "dedupe"\n[[step]]\ndo = "split"\nnam-e = 1', "step 2 (split): unknown key 'nam-e'"),
        ('[[step]]\ndo = "export"\nout = "o"\nimage-paths = true\nimage_paths = true', "image-paths is given twice"),
    ],
    ids=str,
)
def test_what_cannot_be_done_is_one_line_before_anything_begins(
    cli: Cli, tmp_path: Path, text: str, message: str
) -> None:
    Path("recipe.toml").write_text(text if "work" in text or not text.startswith("[[step]]") else HEAD + text)
    outcome = cli("dataset", "build", "recipe.toml")
    assert (outcome.code, outcome.out, len(outcome.err.splitlines())) == (2, "", 1)
    assert outcome.err.startswith("anomagent: recipe.toml: ")
    assert message in outcome.err
    assert [path.name for path in tmp_path.iterdir()] == ["recipe.toml"]


def test_a_recipe_that_cannot_be_read_is_named(cli: Cli, tmp_path: Path) -> None:
    assert cli("dataset", "build", "gone.toml").err == (
        "anomagent: gone.toml: cannot be read (No such file or directory); give a TOML file\n"
    )
    Path("recipe.toml").write_bytes(b"\xff\xfe")
    assert "is no text in UTF-8" in cli("dataset", "build", "recipe.toml").err


def test_what_an_earlier_step_makes_may_go_into_a_later_one(cli: Cli) -> None:
    steps = [
        'do = "manifest"\nout = "kept.jsonl"',
        'do = "annotate"\npaths = ["kept.jsonl"]\nmodel = "fake"',
        'do = "export"\nout = "parts"',
        'do = "import"\nannotations = "parts/train.json"\nimages = "-here*"',
    ]
    Path("recipe.toml").write_text("\n".join(f"[[step]]\n{step}" for step in steps))
    outcome = cli("dataset", "build", "recipe.toml", "--check")
    assert (outcome.code, outcome.err) == (0, "")
    assert outcome.out.splitlines()[-1] == "anomagent dataset import '--images=-here*' parts/train.json"
    Path("recipe.toml").write_text("\n".join(f"[[step]]\n{step}" for step in reversed(steps)))
    assert "no such file or folder parts/train.json" in cli("dataset", "build", "recipe.toml", "--check").err
