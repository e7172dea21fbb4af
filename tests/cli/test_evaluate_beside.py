"""What `evaluate` shows beside the figures: curves, intervals, groups, a judge, tables and a page."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest
from PIL import Image

from anomagent.store import Workspace
from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import HOSTILE, PREDICTIONS, TRUTH, Page, assert_harmless, entry, images, refused, script, write
from tests.evaluation.similarity.tiny import LAYER, save

Evaluate = Callable[..., Outcome]


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


def test_curve_intervals_and_kinds(evaluate: Evaluate) -> None:
    found = figures(evaluate(PREDICTIONS, TRUTH, "--json", "--curve", "--bootstrap", 100, "--by", "kind"))

    points = {(point["threshold"], point["view"]): point["SemF1"] for point in found["curve"]}
    assert len(points) == 30
    for level in ("0.7", "0.8", "0.9"):
        assert points[float(level), "Full"] == found["by_threshold"][level]["Full"]["SemF1"]
    low, high = found["bootstrap"]["SemF1"]["Full"]
    assert low <= found["SemF1"]["Full"] <= high
    assert sum(kind["predictions"] for kind in found["by"]["kind"].values()) == 44  # in the ten recorded images
    assert list(found["by"]) == ["kind"]


def test_sources_are_folders_or_a_table(evaluate: Evaluate) -> None:
    truth = {"m/a.png": [entry("x")], "n/b.png": [entry("y")]}
    sides = write("p.json", images(a=["x"], b=[])), write("t.json", truth)

    by_folder = figures(evaluate(*sides, "--by", "source", "--json"))["by"]["source"]
    assert {name: group["SemF1"]["Full"] for name, group in by_folder.items()} == {"m": 1.0, "n": 0.0}

    Path("table.csv").write_text("image,source\na.png,one\nb.png,one\n")
    by_table = figures(evaluate(*sides, "--by", "source", "--sources", "table.csv", "--json"))["by"]["source"]
    assert {name: (group["images"], group["SemF1"]["Full"]) for name, group in by_table.items()} == {"one": (2, 0.5)}

    assert "--sources FILE" in refused(evaluate(sides[0], sides[0], "--by", "source"))


def test_tables_say_the_same_in_words(evaluate: Evaluate) -> None:
    outcome = evaluate(TRUTH, TRUTH, "--curve", "--bootstrap", 100, "--by", "kind", "--published")

    for title in ("SemAP and SemF1", "By threshold", "Pooled over all images", "Over the similarity", "By kind"):
        assert title in outcome.out
    assert "Nothing is published for this backbone and layer." in outcome.out
    assert "these predictions     1.0000" in outcome.out


JUDGED = {"reply": {"pairs": [{"prediction": 1, "reference": 1}]}}


def test_judge_is_asked_once_and_failures_are_counted(evaluate: Evaluate) -> None:
    sides = write("p.json", images(a=["x"], b=["y"], c=[])), write("t.json", images(a=["x"], b=["y"], c=["z"]))
    model = script({"error": "refused", "text": "not these"}, JUDGED, role="AnomalyJudge")

    first = evaluate(*sides, "--judge", model, "--json")
    judged = figures(first, code=3)["judge"]
    assert judged["images"] == {"judged": 1, "both_empty": 0, "one_empty": 1, "failed": 1, "in_means": 2}
    assert [(one["error"], one["reason"]) for one in judged["failures"]] == [("refused", "not these")]
    assert (judged["SemF1"], judged["usage"]["calls"]) == (0.5, 2)  # one found, one empty: (1 + 0) / 2
    assert "at most 2 calls" in first.err

    again = figures(evaluate(*sides, "--judge", model, "--json"), code=3)["judge"]
    assert again["usage"]["ledger_hits"] == 1  # what failed is asked again, and fails again: the script begins anew

    good = script(JUDGED, role="AnomalyJudge", name="good.json")
    paid = [figures(evaluate(*sides, "--judge", good, "--json"))["judge"] for _ in range(2)]
    assert [one["usage"]["calls"] for one in paid] == [2, 0]
    assert paid[0]["SemF1"] == paid[1]["SemF1"] == pytest.approx(2 / 3)
    assert evaluate(*sides, "--judge", good, "--out", "out", "--table", "parquet").code == 0
    assert [(row["image"], row["same"], row["matched"]) for row in _rows(Path("out/judged.parquet"))] == [
        ("a.png", True, True),
        ("b.png", True, True),
    ]


def test_judge_that_fails_on_all_images_leaves_the_figures(evaluate: Evaluate) -> None:
    model = script({"error": "refused", "text": "never"}, role="AnomalyJudge")
    side = write("p.json", images(a=["x"], b=["y"]))

    found = figures(evaluate(side, side, "--judge", model, "--json"), code=3)
    assert (found["judge"]["SemF1"], len(found["judge"]["failures"]), found["SemF1"]["Full"]) == (None, 2, 1.0)
    assert found["judge"]["images"] == {"judged": 0, "both_empty": 0, "one_empty": 0, "failed": 2, "in_means": 0}
    half = write("half.json", images(a=["x"], b=[]))
    assert figures(evaluate(half, side, "--judge", model, "--json"), code=3)["judge"]["SemF1"] is None
    table = evaluate(side, side, "--judge", model, "--html", "page.html")
    assert (table.code, "2 failed, the first: never" in " ".join(table.out.split())) == (3, True)
    assert "2 failed, the first: never" in Page.read("page.html").text


def test_people_are_compared_with_the_judge(evaluate: Evaluate) -> None:
    sides = write("p.json", images(a=["x"], b=["y"])), write("t.json", images(a=["x"], b=["y"]))
    Path("people.csv").write_text("image,prediction,ground_truth,same\na.png,0,0,yes\nb.png,0,0,no\n")

    model = script(JUDGED, role="AnomalyJudge")
    judged = figures(evaluate(*sides, "--judge", model, "--human-pairs", "people.csv", "--json"))["judge"]

    assert (judged["human"]["pairs"], judged["human"]["judge"]["raw"]) == (2, 0.5)
    assert "people and judge" in evaluate(*sides, "--judge", model, "--human-pairs", "people.csv").out


@pytest.mark.parametrize(
    ("row", "said"),
    [("a.png,1,0,yes", "no prediction 1"), ("z.png,0,0,yes", "no image 'z.png'"), ("a.png,0,0,perhaps", "same")],
)
def test_wrong_human_pair_is_refused_before_any_call(
    evaluate: Evaluate, monkeypatch: pytest.MonkeyPatch, row: str, said: str
) -> None:
    monkeypatch.setattr("anomagent.evaluation.similarity.Scorer.similarities", lambda *_: pytest.fail("it compares"))
    Path("people.csv").write_text(f"image,prediction,ground_truth,same\na.png,0,0,no\n{row}\n")
    side = write("p.json", images(a=["x"]))

    error = refused(evaluate(side, side, "--judge", script(JUDGED, role="AnomalyJudge"), "--human-pairs", "people.csv"))
    assert "people.csv: line 3" in error
    assert said in error
    with Workspace.open("anomagent-workspace").reading() as connection:
        assert connection.execute("SELECT count(*) FROM calls").fetchone() == (0,)


@pytest.mark.parametrize(("judge", "said"), [("embedded", "only knows rendered scenes"), ("fake:gone.json", "gone")])
def test_judges_that_cannot_work_are_refused(evaluate: Evaluate, judge: str, said: str) -> None:
    assert said in refused(evaluate(PREDICTIONS, TRUTH, "--judge", judge))


def _rows(file: Path) -> list[dict[str, Any]]:
    if file.suffix == ".parquet":
        return parquet.read_table(file).to_pylist()
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_folder_holds_what_the_figures_are_made_of(evaluate: Evaluate, form: str) -> None:
    found = figures(evaluate(PREDICTIONS, TRUTH, "--out", "new/out", "--table", form, "--curve", "--json"))

    folder = Path("new/out")
    assert {file.name for file in folder.iterdir()} == {
        "result.json", f"images.{form}", f"matches.{form}", "curve.svg",
    }  # fmt: skip
    assert json.loads((folder / "result.json").read_text("utf-8")) == found
    full = [row for row in _rows(folder / f"images.{form}") if row["view"] == "Full"]
    assert len(full) == 30  # ten images, three thresholds
    assert sum(float(row["SemF1"]) for row in full) / 30 == pytest.approx(found["SemF1"]["Full"])
    matches = [row for row in _rows(folder / f"matches.{form}") if row["view"] == "Full" and row["similarity"]]
    true = sum(float(row["similarity"]) >= 0.8 for row in matches)
    assert true == found["micro"]["0.8"]["Full"]["TP"]
    truth = json.loads(TRUTH.read_text("utf-8"))
    for row in matches:
        said = truth[row["image"]][int(row["ground_truth"])]["Observed Phenomenon"]
        assert row["ground_truth_phenomenon"] == said


def test_page_is_whole_and_harmless(evaluate: Evaluate, tmp_path: Path) -> None:
    name = f"{HOSTILE}.png"
    said = {name: images(x=[HOSTILE, "a lamp"])["x.png"], "b.png": []}
    sides = write("p.json", said), write("t.json", said)
    (tmp_path / "pictures" / "deep").mkdir(parents=True)
    Image.new("RGB", (8, 6), "red").save(tmp_path / "pictures" / "deep" / name)
    (tmp_path / "pictures" / "b.png").write_bytes(b"no image")

    outcome = evaluate(*sides, "--html", "page.html", "--images", "pictures", "--published", "--by", "kind", "--json")

    assert outcome.code == 0, outcome.err
    page = Page.read("page.html")
    assert_harmless(page)
    assert page.pictures("svg+xml") == 3
    assert page.pictures("png") >= 3  # the image behind the plots, and in full with its matching
    assert "http" not in Path("page.html").read_text("utf-8").replace("http-equiv", "")
    for part in ("<script>alert('x') \"&amp; ", "{{ 7 * 7 }}", "1.0000"):
        assert part in page.text
    assert "\x1b" not in outcome.out + outcome.err


def test_hostile_names_are_harmless_on_a_terminal(evaluate: Evaluate) -> None:
    side = write("p.json", {f"{HOSTILE}/a.png": images(a=["x"])["a.png"]})

    outcome = evaluate(side, side, "--by", "source")

    assert outcome.code == 0
    assert "[bold]" in outcome.out
    assert not {"\x1b", "\u202e"} & set(outcome.out + outcome.err)
