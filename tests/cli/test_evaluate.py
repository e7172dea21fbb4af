from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import PREDICTIONS, TRUTH, entry, images, refused, write
from tests.evaluation.similarity.tiny import LAYER, save
from tests.report.examples import picture
from tests.store.helpers import result

Evaluate = Callable[..., Outcome]
ONES = {"Phe": 1.0, "Rea": 1.0, "Full": 1.0}


@pytest.fixture(scope="module")
def backbone(tmp_path_factory: pytest.TempPathFactory) -> str:
    return save("bert", tmp_path_factory.mktemp("backbone"))


@pytest.fixture
def evaluate(cli: Cli, backbone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Evaluate:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return lambda *arguments: cli("evaluate", *arguments, "--backbone", backbone, "--layer", LAYER)


def figures(outcome: Outcome, code: int = 0) -> dict[str, Any]:
    assert outcome.code == code, outcome.err
    return json.loads(outcome.out)


def missing(rule: str, only: int) -> dict[str, Any]:
    """Of each side, `only` images that the other lacks."""
    return {"rule": rule, "only_predictions": only, "only_ground_truth": only, "only_split": 0, "failed": 0}


@pytest.mark.parametrize("protocol", ["released", "paper"])
def test_perfect_predictions_score_1(evaluate: Evaluate, backbone: str, protocol: str) -> None:
    found = figures(evaluate(TRUTH, TRUTH, "--protocol", protocol, "--json"))

    assert found["SemAP"] == found["SemF1"] == ONES
    assert (found["protocol"], found["backbone"], found["layer"], found["images"]) == (protocol, backbone, LAYER, 10)
    assert found["rank_by"] == (None if protocol == "released" else "implausibility")
    assert {name: views["Full"]["FP"] + views["Full"]["FN"] for name, views in found["micro"].items()} == {
        "0.7": 0,
        "0.8": 0,
        "0.9": 0,
    }


def test_json_is_the_contract(evaluate: Evaluate) -> None:
    found = figures(evaluate(PREDICTIONS, TRUTH, "--json"))

    assert {"protocol", "backbone", "layer", "images", "empty", "missing"} < found.keys()
    assert {"SemAP", "SemF1", "by_threshold", "micro"} < found.keys()
    assert (found["predictions"], found["ground_truth"]) == (str(PREDICTIONS), str(TRUTH))
    assert found["empty"] == {"rule": "zero", "both": 0, "predictions": 2, "ground_truth": 0, "left_out": 0}
    assert found["missing"] == missing("error", 0)
    mean = sum(level["Full"]["SemF1"] for level in found["by_threshold"].values()) / 3
    assert found["SemF1"]["Full"] == pytest.approx(mean)
    assert 0 < found["SemAP"]["Full"] <= 0.8  # two of ten images have no prediction


@pytest.mark.parametrize(
    ("rule", "scored", "mean"),
    # Image a is perfect; b is only predicted, c only true. Empty: 0 for both.
    [("empty", 3, 1 / 3), ("skip", 1, 1.0)],
)
def test_images_of_one_file_follow_the_rule(evaluate: Evaluate, rule: str, scored: int, mean: float) -> None:
    sides = write("p.json", images(a=["x"], b=["y"])), write("t.json", images(a=["x"], c=["z"]))

    found = figures(evaluate(*sides, "--missing", rule, "--json"))

    assert (found["images"], found["SemF1"]["Full"]) == (scored, pytest.approx(mean))
    assert found["missing"] == missing(rule, 1)


def test_images_of_one_file_are_an_error_unless_asked_for(evaluate: Evaluate) -> None:
    said = refused(evaluate(write("p.json", images(a=["x"], b=["y"])), write("t.json", images(a=["x"], c=["z"]))))

    for part in ("1 only in p.json ('b.png')", "1 only in t.json ('c.png')", "--missing"):
        assert part in said


def test_bad_entry_is_named_with_file_image_and_index(evaluate: Evaluate) -> None:
    bad = write("p.json", {"a.png": [entry("x"), entry("y", "very low")]})
    truth = write("t.json", images(a=["x"]))

    said = refused(evaluate(bad, truth, "--json"))
    for part in ("p.json", "'a.png' entry 2", "severity", "--bad-entries skip"):
        assert part in said

    outcome = evaluate(bad, truth, "--bad-entries", "skip", "--json")
    found = figures(outcome, code=3)
    assert found["bad_entries"] == {"predictions": 1, "ground_truth": 0}
    assert found["SemF1"] == ONES
    assert "entry 2 of a.png" in outcome.err


def test_two_paths_of_one_base_name_are_never_merged(evaluate: Evaluate) -> None:
    said = refused(evaluate(write("p.json", {"a/1.png": [], "b/1.png": []}), write("t.json", images())))

    assert "'a/1.png' and 'b/1.png' share the base name '1.png'" in said


def test_split_keeps_one_part(evaluate: Evaluate) -> None:
    predictions = write("p.json", images(a=["x"], b=["a lamp"]))
    truth = write("t.json", images(a=["x"], b=["six fingers hold a cup"]))
    split = write("split.json", {"train": ["b.png"], "test": ["in/a.png"]})

    found = figures(evaluate(predictions, truth, "--split", split, "--json"))
    assert (found["images"], found["SemF1"]) == (1, ONES)
    other = figures(evaluate(predictions, truth, "--split", split, "--part", "train", "--json"))
    assert (other["images"], other["SemF1"]["Full"] < 1) == (1, True)
    assert "has no part 'val'; choose one of" in refused(
        evaluate(predictions, truth, "--split", split, "--part", "val")
    )


def _workspace(folder: str) -> tuple[Workspace, str]:
    """A run with an analysis of a.png that is whole and one of b.png that failed."""
    workspace = Workspace.open(folder)
    run = start_run(workspace, "run", {}, "hash")
    for image, colour, changes in (("in/a.png", "red", {}), ("b.png", "blue", {"status": "failed", "anomalies": []})):
        sha256 = ingest_image(workspace, picture(colour), image)["sha256"]
        save_analysis(workspace, run, result(sha256, image, **changes))
    return workspace, run


def _scores(workspace: Workspace) -> list[tuple[str, str, Any]]:
    with workspace.reading() as connection:
        rows = connection.execute("SELECT predictions, protocol, result FROM scores").fetchall()
    return [(predictions, protocol, json.loads(kept)) for predictions, protocol, kept in rows]


FLOATS = {"Name": "Floating chair", "Observed Phenomenon": "A chair floats.", "Reasoning": "Gravity.", "Severity": 10}


@pytest.mark.parametrize("by", ["run", "folder"])
def test_runs_and_workspaces_are_predictions(evaluate: Evaluate, by: str) -> None:
    workspace, run = _workspace("anomagent-workspace")
    side = run if by == "run" else "anomagent-workspace"
    truth = write("t.json", {"a.png": [FLOATS], "b.png": [FLOATS]})

    said = refused(evaluate(side, truth))
    assert "1 failed ('b.png': 'RelationReasoner: floor: refused: no')" in said

    outcome = evaluate(side, truth, "--missing", "empty", "--json")
    found = figures(outcome, code=3)
    assert (found["images"], found["SemF1"]["Full"]) == (2, pytest.approx(0.5))
    assert found["failures"] == [{"image": "b.png", "reason": "RelationReasoner: floor: refused: no"}]
    assert _scores(workspace) == [(side, "released", found)]
    assert figures(evaluate(side, truth, "--missing", "skip", "--json"), code=3)["SemF1"] == ONES
    assert len(_scores(workspace)) == 2


def test_unknown_side_is_one_line(evaluate: Evaluate) -> None:
    assert "no such file" in refused(evaluate("nothing.json", TRUTH))
    assert "no such file" in refused(evaluate("x" * 300, TRUTH))
    Path("empty").mkdir()
    assert "a folder that is no workspace" in refused(evaluate("empty", TRUTH))
    _workspace("anomagent-workspace")
    said = refused(evaluate("nope.json", TRUTH))
    assert "nope.json: no such file, and no run of that name in workspace" in said
    assert "; the last ones are " in said


@pytest.mark.parametrize("folders", [True, False], ids=["folders", "file"])
def test_deepfake_verdicts(evaluate: Evaluate, folders: bool, tmp_path: Path) -> None:
    # a is AI and called so, b is AI and called real, r is real and called so: Acc 2/3, CSemF1 = (1 + 0) / 2.
    said = {"a": "Yes, it is.", "b": "No.", "r": "no"}
    truth = write("t.json", images(a=["x"], b=["y"]))
    if folders:
        for place in ("1_fake/a.png", "1_fake/b.png", "0_real/r.png"):
            (tmp_path / "labels" / place).parent.mkdir(parents=True, exist_ok=True)
            (tmp_path / "labels" / place).write_bytes(b"")
        labels = "labels"
        answered = {f"{stem}.png": {"answer": text, "anomalies": []} for stem, text in said.items()}
        answered["a.png"]["anomalies"], answered["b.png"]["anomalies"] = [entry("x")], [entry("y")]
        arguments = [write("p.json", answered), truth, "--deepfake", labels]
    else:
        labels = write("labels.json", {"a.png": "fake", "b.png": 1, "r.png": "real"})
        answers = "answers.csv"
        Path(answers).write_text("image,answer\n" + "".join(f'{stem}.png,"{text}"\n' for stem, text in said.items()))
        predictions = write("p.json", images(a=["x"], b=["y"]))
        arguments = [predictions, truth, "--deepfake", labels, "--answers", answers]

    found = figures(evaluate(*arguments, "--json"))

    assert (found["Acc"], found["Acc_by_class"]) == (pytest.approx(2 / 3), {"real": 1.0, "ai": 0.5})
    assert (found["images"], found["SemF1"]["Full"], found["CSemF1"]["Full"]) == (2, 1.0, 0.5)
    assert (found["unrecognised"], found["unanswered"], found["unlabelled"]) == (0, 0, 0)
    table = evaluate(*arguments, "--published", "--out", "out")
    assert "Deepfake detection" in table.out
    assert "over the 2 images labelled AI; 1 real image is judged in" in " ".join(table.out.split())
    with Path("out/verdicts.csv").open(encoding="utf-8", newline="") as stream:
        rows = [tuple(row.values()) for row in csv.DictReader(stream)]
    assert sorted(rows) == [
        ("a.png", "ai", "Yes, it is.", "yes", "True"),
        ("b.png", "ai", "No.", "no", "False"),
        ("r.png", "real", "no", "no", "True"),
    ]
    assert "66.67" in table.out


@pytest.mark.parametrize(
    "alone",
    [("--answers", "x.json"), ("--sources", "x.csv"), ("--human-pairs", "x.csv"), ("--images", "."),
     ("--base-url", "http://localhost:1/v1"), ("--by", "kind", "--sources", "x.csv"), ("--table", "csv"),
     ("--part", "test"), ("--seed", "0"), ("--rank-by", "listed"), ("--protocol", "released", "--rank-by", "listed")],
    ids=" ".join,
)  # fmt: skip
def test_options_that_mean_nothing_alone(evaluate: Evaluate, alone: tuple[str, ...]) -> None:
    assert f"{alone[-2]} belongs to --" in refused(evaluate(PREDICTIONS, TRUTH, *alone))


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (("--html", "missing/page.html"), "cannot write missing/page.html"),
        (("--html", "."), "cannot write ."),
        (("--html", "p.html", "--images", "missing"), "--images missing: no such folder"),
        (("--out", "a-file/out"), "cannot write into a-file/out"),
        (("--bootstrap", "5"), "--bootstrap"),
        (("--bootstrap", "1000001"), "--bootstrap"),
        (("--protocol", "both"), "--protocol"),
        (("--device", "abacus"), "device"),
        (("--backbone", "missing"), "--layer"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_wrong_use_is_said_before_any_work(
    cli: Cli, backbone: str, monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, ...], said: str
) -> None:
    monkeypatch.setattr("anomagent.evaluation.similarity.Scorer.similarities", lambda *_: pytest.fail("it works"))
    Path("a-file").write_text("")
    arguments = wrong if "--backbone" in wrong else (*wrong, "--backbone", backbone, "--layer", LAYER)

    assert said in refused(cli("evaluate", PREDICTIONS, TRUTH, *arguments, "--no-cache"))


def test_unreadable_backbone_is_one_line(cli: Cli) -> None:
    Path("weights").mkdir()
    Path("weights/config.json").write_text("{")

    said = refused(cli("evaluate", PREDICTIONS, TRUTH, "--backbone", "weights", "--layer", 2, "--no-cache"))
    assert "backbone ./weights cannot be loaded" in said
    assert "hub of nobody" in refused(
        cli("evaluate", PREDICTIONS, TRUTH, "--backbone", "./hub of nobody", "--layer", 2, "--no-cache")
    )
