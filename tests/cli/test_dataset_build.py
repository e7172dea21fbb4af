"""Recipes: checked as a whole, done step by step, and done again without any change."""

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from filelock import FileLock
from PIL import Image

from anomagent.state.reviews import Answer, Verdict
from anomagent.store import Workspace
from anomagent.store.reviews import append_answers
from anomagent.store.steps import read_steps
from tests.cli.conftest import Cli

EXAMPLE = Path(__file__).parents[2] / "examples" / "recipe.toml"
ANOMALY = {
    "name": "Two suns",
    "phenomenon": "There are two suns.",
    "reasoning": "The earth has one.",
    "severity": 5,
    "objects": ["sun"],
}
SCRIPT = json.dumps({"rules": [{"says": [{"reply": {"anomalies": [ANOMALY]}}]}]})
CHAIN = """
workspace = "w"
[[step]]
do = "ingest"
paths = ["raw"]
[[step]]
do = "annotate"
model = "fake:script.json"
schedule = "direct"
[[step]]
do = "reviewed"
[[step]]
do = "export"
out = "out.json"
force = true
"""


@pytest.fixture
def chain(tmp_path: Path) -> Path:
    """Two images in a folder, a model that finds one anomaly in each, and a recipe beside them; it is not the cwd."""
    folder = tmp_path / "set"
    for name, colour in (("raw/a.png", "red"), ("raw/deeper/b.png", "blue")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (40, 40), colour).save(folder / name)
    (folder / "script.json").write_text(SCRIPT)
    (folder / "recipe.toml").write_text(CHAIN)
    return folder


def decide(workspace: Path, verdicts: Sequence[Verdict]) -> None:
    """Answers about the first candidates."""
    answers = [
        Answer(id=uuid4().hex, anomaly=number, annotator="ada", verdict=verdict)
        for number, verdict in enumerate(verdicts, 1)
    ]
    append_answers(Workspace.open(workspace), answers)


def rows(workspace: Path, query: str) -> list[Any]:
    with Workspace.open(workspace, create=False).reading() as connection:
        return connection.execute(query).fetchall()


def test_the_chain_waits_for_people_and_goes_on(cli: Cli, chain: Path) -> None:
    first = cli("dataset", "build", chain / "recipe.toml")
    assert first.code == 3
    assert "the review is not finished: 2 candidates of 2 images undecided, 0 of them unsure" in first.err
    assert not (chain / "out.json").exists()
    decide(chain / "w", ["ACCEPT", "UNSURE"])
    assert "1 candidate of 1 image undecided, 1 of them unsure" in cli("dataset", "build", chain / "recipe.toml").err
    decide(chain / "w", ["ACCEPT", "REJECT"])
    last = cli("dataset", "build", chain / "recipe.toml")
    assert (last.code, last.out.count("2 already done")) == (0, 1)
    assert sorted(map(len, json.loads((chain / "out.json").read_text()).values())) == [0, 1]


def test_images_are_analysed_under_the_names_that_they_were_ingested_by(cli: Cli, chain: Path) -> None:
    cli("dataset", "build", chain / "recipe.toml")
    names = [("raw/a.png",), ("raw/deeper/b.png",)]
    assert rows(chain / "w", "SELECT image FROM analyses ORDER BY image") == names
    assert rows(chain / "w", "SELECT name FROM image_names ORDER BY name") == names
    assert not list(chain.glob(".kept*"))


def test_doing_it_again_changes_nothing_and_asks_nothing(cli: Cli, chain: Path) -> None:
    cli("dataset", "build", chain / "recipe.toml")
    decide(chain / "w", ["ACCEPT", "ACCEPT"])
    counts = "SELECT (SELECT count(*) FROM {}), ".format("), (SELECT count(*) FROM ".join(TABLES)) + "0"
    cli("dataset", "build", chain / "recipe.toml")
    before, written = rows(chain / "w", counts), (chain / "out.json").read_bytes()
    again = cli("dataset", "build", chain / "recipe.toml", "--json")
    assert again.code == 0
    annotated = json.loads(again.out)["steps"][1]["result"]
    assert (annotated["already_done"], annotated["usage"]["calls"]) == (2, 0)
    assert rows(chain / "w", counts) == before
    assert (chain / "out.json").read_bytes() == written


TABLES = ("images", "image_names", "sources", "selections", "calls", "analyses", "anomalies", "reviews", "splits")


def test_json_is_one_object_with_what_each_step_printed(cli: Cli, chain: Path) -> None:
    outcome = cli("dataset", "build", chain / "recipe.toml", "--json")
    said = json.loads(outcome.out)
    assert (outcome.code, outcome.out.count("\n"), said["left"]) == (3, 1, 1)
    assert [(step["do"], step["exit"]) for step in said["steps"]] == [("ingest", 0), ("annotate", 0), ("reviewed", 3)]
    assert said["steps"][0]["result"]["new"] == 2
    assert said["steps"][2]["result"] is None


def test_it_is_recorded_beside_its_steps(cli: Cli, chain: Path) -> None:
    cli("dataset", "build", chain / "recipe.toml")
    build, ingest, *more = read_steps(Workspace.open(chain / "w"))
    assert not more
    assert (build["step"], ingest["step"]) == ("build", "ingest")
    assert build["settings"]["recipe"]["step"][0] == {"do": "ingest", "paths": ["raw"]}
    assert build["result"] == {"do": ["ingest", "annotate", "reviewed", "export"], "exit": [0, 0, 3], "left": 1}


def test_an_error_ends_it_and_the_next_time_goes_on(cli: Cli, chain: Path) -> None:
    (chain / "script.json").unlink()
    broken = cli("dataset", "build", chain / "recipe.toml")
    assert (broken.code, broken.err.count("script.json")) == (2, 2)  # the step's line, and what is wrong
    assert not list(chain.glob(".kept*"))
    (chain / "script.json").write_text(SCRIPT)
    assert "review is not finished" in cli("dataset", "build", chain / "recipe.toml").err
    ends = [step["finished"] is not None for step in read_steps(Workspace.open(chain / "w"))]
    assert ends == [False, True, True, True]  # the first build was broken off, its ingest was not


def test_what_a_step_leaves_out_is_code_3_and_ends_nothing(cli: Cli, chain: Path) -> None:
    (chain / "raw" / "c.png").write_text("no image")
    decide_all = CHAIN.replace('do = "reviewed"', 'do = "stats"')
    (chain / "recipe.toml").write_text(decide_all.replace('out = "out.json"', 'out = "out.json"\nanomalies = "all"'))
    outcome = cli("dataset", "build", chain / "recipe.toml", "--json")
    assert outcome.code == 3
    assert [step["exit"] for step in json.loads(outcome.out)["steps"]] == [3, 0, 0, 0]


def test_images_left_by_a_batch_that_stopped_end_the_chain(
    cli: Cli, chain: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anomagent.batch.plan import Plan

    async def nothing(self: Plan) -> None:
        return None

    monkeypatch.setattr(Plan, "next", nothing)
    outcome = cli("dataset", "build", chain / "recipe.toml")
    assert outcome.code == 3
    assert outcome.err.splitlines()[-1] == (
        "anomagent: annotate is not finished, 2 images are left; run the same recipe again"
    )


def test_nothing_is_made_of_images_that_all_failed(cli: Cli, chain: Path) -> None:
    refusing = json.dumps({"rules": [{"says": [{"error": "refused"}]}]})
    (chain / "script.json").write_text(refusing)
    outcome = cli("dataset", "build", chain / "recipe.toml")
    assert (outcome.code, outcome.err.count("annotate has no result, all images failed")) == (3, 1)
    assert not (chain / "out.json").exists()
    (chain / "script.json").write_text(SCRIPT)
    (chain / "recipe.toml").write_text(CHAIN.replace('"direct"', '"direct"\nretry = true'))
    assert "2 candidates of 2 images undecided" in cli("dataset", "build", chain / "recipe.toml").err


def test_two_builds_do_not_get_into_each_others_way(cli: Cli, chain: Path) -> None:
    with FileLock(Workspace.open(chain / "w").locks / "build.lock"):
        outcome = cli("dataset", "build", chain / "recipe.toml")
    assert (outcome.code, outcome.err) == (
        2,
        f"anomagent: workspace {chain / 'w'}: another build is at work on it; wait for that\n",
    )


def test_a_trial_of_some_images_is_finished_when_they_are_done(cli: Cli, chain: Path) -> None:
    (chain / "recipe.toml").write_text(CHAIN.replace('"direct"', '"direct"\nlimit = 1'))
    assert "1 candidate of 1 image undecided" in cli("dataset", "build", chain / "recipe.toml").err


def test_a_file_that_has_gone_is_analysed_from_its_copy_as_the_same_image(cli: Cli, chain: Path) -> None:
    (chain / "recipe.toml").write_text(CHAIN.replace('do = "reviewed"', 'do = "stats"') + 'anomalies = "all"')
    cli("dataset", "ingest", chain / "raw", "-w", chain / "w")
    (chain / "raw" / "a.png").unlink()
    assert "no longer where they came from" in cli("dataset", "build", chain / "recipe.toml").err
    assert sorted(json.loads((chain / "out.json").read_text())) == ["a.png", "b.png"]


def test_a_manifest_has_what_is_known_and_is_read_again(cli: Cli, chain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(chain)
    Path("list.jsonl").write_text('{"image": "raw/a.png", "prompt": "red", "source": "flux", "id": "7"}')
    shutil.copy("raw/a.png", "raw/same.png")
    Path("later.jsonl").write_text('{"image": "raw/deeper/../same.png", "prompt": "Red!", "source": "sdxl"}')
    cli("dataset", "ingest", "list.jsonl", "raw")
    cli("dataset", "ingest", "later.jsonl")
    assert cli("dataset", "manifest", "kept.jsonl", "--json").out.startswith('{"images": 2, "copies": 0,')
    lines = [json.loads(line) for line in Path("kept.jsonl").read_text().splitlines()]
    assert {"image": "raw/a.png", "prompt": "red", "source": "flux", "id": "7"} in lines
    assert {"image": "raw/deeper/b.png"} in lines
    assert cli("dataset", "ingest", "kept.jsonl", "-w", "other").out == "2 files: 2 new images, 0 known by content\n"
    assert "exists; give --force" in cli("dataset", "manifest", "kept.jsonl").err
    assert "let its name end with .jsonl" in cli("dataset", "manifest", "kept.csv").err


def test_a_check_does_nothing_and_prints_the_commands(cli: Cli, chain: Path) -> None:
    outcome = cli("dataset", "build", chain / "recipe.toml", "--check")
    assert (outcome.code, outcome.out.splitlines()) == (
        0,
        [
            "anomagent dataset ingest raw",
            "anomagent batch --model=fake:script.json --schedule=direct",
            "reviewed",
            "anomagent dataset export --force out.json",
        ],
    )
    assert not (chain / "w").exists()


def test_the_documentation_shows_the_example(cli: Cli) -> None:
    documentation = (EXAMPLE.parents[1] / "docs" / "dataset.md").read_text()
    assert f"```toml\n{EXAMPLE.read_text()}```" in documentation


@pytest.mark.parametrize("model", ["fake:script.json", pytest.param("embedded", marks=pytest.mark.slow)])
def test_the_example_recipe_from_end_to_end(cli: Cli, tmp_path: Path, model: str) -> None:
    cli("scenes", "render", "scenes", "--count", "3", "--seed", "7", "--size", "224")
    Path("script.json").write_text(SCRIPT)
    recipe = EXAMPLE.read_text()
    assert recipe.count('model = "embedded"\nschedule = "lean"') == 1
    if model != "embedded":
        recipe = recipe.replace('model = "embedded"\nschedule = "lean"', f'model = "{model}"\nschedule = "direct"')
    Path("recipe.toml").write_text(recipe)
    assert "review is not finished" in cli("dataset", "build", "recipe.toml").err
    candidates = rows(tmp_path / "workspace", "SELECT id FROM anomalies")
    accepts: list[Verdict] = ["ACCEPT" for _ in candidates]
    decide(tmp_path / "workspace", accepts)
    assert cli("dataset", "build", "recipe.toml").code == 0
    annotations: dict[str, list[Any]] = json.loads(Path("annotations.json").read_text())
    assert (len(annotations), sum(map(len, annotations.values()))) == (3, len(candidates))
    assert sorted(path.name for path in Path("huggingface").iterdir()) == ["README.md", "data", "split.json"]
    assert Path("figure4.png").stat().st_size > 10_000
