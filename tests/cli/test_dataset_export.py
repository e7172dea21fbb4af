import json
from pathlib import Path

import pytest

from anomagent.store import Workspace, begin_analysis, save_analysis, start_run
from anomagent.store.steps import read_steps
from tests.cli.conftest import Cli
from tests.dataset.filling import add, anomaly, judge
from tests.report.examples import result_of, store_example, workspace_in

ALL = ("--anomalies", "all")


def _store(workspace: Workspace, sha256: str, image: str, status: str) -> None:
    run = start_run(workspace, "run", {}, "hash")
    save_analysis(workspace, run, {**result_of(sha256, image), "status": status, "anomalies": []})  # type: ignore[typeddict-item]


def test_results_are_written_and_counted(cli: Cli, tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    stored = store_example(workspace, "in/a.png")
    _store(workspace, stored["sha256"], "in/b.png", "failed")
    begin_analysis(workspace, stored["run_id"], image="c.png", sha256=stored["sha256"], thread_id="t", schedule="paper")

    outcome = cli("dataset", "export", "out.json", *ALL)

    assert outcome.code == 3
    assert outcome.out == ""
    assert outcome.err.splitlines() == [
        "wrote out.json: 1 images, 1 anomalies",
        "anomagent: candidates: 1 unreviewed",
        "anomagent: images: 1 failed (left out), 1 partial (written), 1 with undecided candidates (written), "
        "1 not finished",
    ]
    assert json.loads((tmp_path / "out.json").read_text())["a.png"][0]["Severity Score"].startswith("10/100")


def test_counts_as_json(cli: Cli, tmp_path: Path) -> None:
    stored = store_example(workspace_in(tmp_path))
    outcome = cli("dataset", "export", "out.json", *ALL, "--json", "--run", stored["run_id"])

    counts = {"images": 1, "anomalies": 1, "partial": 1, "unreviewed": 1, "open_images": 1, "file": "out.json"}
    printed = json.loads(outcome.out)
    assert {name: number for name, number in printed.items() if number} == counts
    assert printed.keys() > {"failed", "running", "rejected", "unsure", "dropped", "unassigned", "unknown"}
    assert outcome.code == 3


def test_all_good_is_silent(cli: Cli, tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    stored = store_example(workspace)
    _store(workspace, stored["sha256"], "a.png", "ok")

    outcome = cli("dataset", "export", "out.jsonl", *ALL, "--shape", "jsonl", "--status", "ok", "-w", workspace.path)

    assert (outcome.code, outcome.err) == (0, "wrote out.jsonl: 1 images, 0 anomalies\n")
    assert json.loads((tmp_path / "out.jsonl").read_text())["image"] == "a.png"


def test_a_stage(cli: Cli, tmp_path: Path) -> None:
    stored = store_example(workspace_in(tmp_path))
    cli("dataset", "export", "out.jsonl", "--stage", "scans", "--keys", "path")

    assert json.loads((tmp_path / "out.jsonl").read_text()) == {
        "image": "a.png",
        "sha256": stored["sha256"],
        "run": stored["run_id"],
        "status": "partial",
        "scans": stored["scans"],
    }


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--shape", "jsonl", "--stage", "scans"), "exclude each other"),
        (("--status", "good"), "no status 'good'"),
        (("--status", ""), "no status ''"),
        (("--status", "failed"), "cannot say that an analysis failed"),
        (("--stage", "thoughts"), "thoughts"),
        (("--run", "x"), "no run 'x'"),
        (("-w", "elsewhere"), "nothing there"),
    ],
)
def test_wrong_use_is_one_line(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    store_example(workspace_in(tmp_path))
    outcome = cli("dataset", "export", "out.json", *ALL, *arguments)

    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert not (tmp_path / "out.json").exists()


def test_a_file_is_replaced_with_force_alone(cli: Cli, tmp_path: Path) -> None:
    store_example(workspace_in(tmp_path))
    (tmp_path / "out.json").write_text("before")

    assert cli("dataset", "export", "out.json", *ALL).code == 2
    assert (tmp_path / "out.json").read_text() == "before"
    assert cli("dataset", "export", "out.json", *ALL, "--force").code == 3
    assert "a.png" in (tmp_path / "out.json").read_text()


def test_what_people_accepted_by_default(cli: Cli, tmp_path: Path) -> None:
    store_example(workspace_in(tmp_path))
    outcome = cli("dataset", "export", "out.json")
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert "nothing is accepted yet" in outcome.err
    assert "--anomalies all" in outcome.err

    assert cli("dataset", "export", "all.json", *ALL).code == 3
    assert cli("dataset", "import", "all.json", "--reviewed-by", "ann", "-w", workspace_in(tmp_path).path).code == 0
    outcome = cli("dataset", "export", "out.json")
    assert (outcome.code, outcome.err) == (0, "wrote out.json: 1 images, 1 anomalies\n")
    assert (tmp_path / "out.json").read_bytes() == (tmp_path / "all.json").read_bytes()


def test_only_named_images(cli: Cli, tmp_path: Path) -> None:
    store_example(workspace_in(tmp_path))
    (tmp_path / "names.txt").write_text("\nb.png\n  a.png \n")
    outcome = cli("dataset", "export", "out.json", *ALL, "--names", "names.txt")
    assert "names of no image: 1" in outcome.err
    assert list(json.loads((tmp_path / "out.json").read_text())) == ["a.png"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--license", "mit"), "--license belongs to --shape hf"),
        (("--image-paths",), "--image-paths belongs to --shape hf"),
        (("--shape", "hf", "--license", "a: b"), "is no license's id"),
        (("--stage", "scans", "--anomalies", "all"), "--anomalies belongs to a shape"),
        (("--stage", "scans", "--open", "skip"), "--open belongs to a shape"),
        (("--open", "include", *ALL), "--open belongs to --anomalies accepted"),
        (("--split", "none"), "no split 'none'"),
        (("--split", "none", *ALL), "no split 'none'"),
        (("--names", "none.txt"), "no such file"),
    ],
)
def test_options_that_do_not_fit(cli: Cli, tmp_path: Path, arguments: tuple[str, ...], message: str) -> None:
    store_example(workspace_in(tmp_path))
    outcome = cli("dataset", "export", "out", *arguments)
    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert message in outcome.err
    assert not (tmp_path / "out").exists()


def test_a_step_begins_before_its_work(cli: Cli, tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    store_example(workspace)
    assert cli("dataset", "export", "none/out.json").code == 2
    assert cli("dataset", "export", "out.json", *ALL, "--keys", "sha256").code == 3
    failed, done = read_steps(workspace)
    assert (failed["step"], failed["finished"], failed["result"]) == ("export", None, None)
    assert (done["settings"]["keys"], done["result"]["images"]) == ("sha256", 1)


def test_images_that_are_not_done_are_left_out_and_said(cli: Cli, tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    run = start_run(workspace, "run", {}, "hash")
    for place, (name, verdict) in enumerate({"a.png": "ACCEPT", "b.png": "UNSURE"}.items()):
        add(workspace, run, name, place, status="ok", anomalies=[anomaly(name)])
        judge(workspace, name, verdict)  # type: ignore[arg-type]
    outcome = cli("dataset", "export", "out.json")
    assert (outcome.code, outcome.err.splitlines()) == (
        3,
        [
            "wrote out.json: 1 images, 1 anomalies",
            "anomagent: images: 1 with undecided candidates (left out)",
        ],
    )
    assert list(json.loads((tmp_path / "out.json").read_text())) == ["a.png"]
    outcome = cli("dataset", "export", "all.json", "--open", "include")
    assert (outcome.code, "1 unsure" in outcome.err) == (0, True)
    assert list(json.loads((tmp_path / "all.json").read_text())) == ["a.png", "b.png"]

    add(workspace, run, "a.png", 0, status="ok", anomalies=[])
    outcome = cli("dataset", "export", "again.json", "--open", "include")
    assert "superseded: reviewed results are older than 1 newer analyses" in outcome.err


def test_hugging_face_gets_each_picture_once(cli: Cli, tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    run = start_run(workspace, "run", {}, "hash")
    for name in ("a.png", "copy.png"):
        add(workspace, run, name, status="ok", anomalies=[])
    assert "2 images" in cli("dataset", "export", "out.json", *ALL).err
    assert "wrote once: 1 images" in cli("dataset", "export", "once", "--shape", "hf", *ALL).err
    assert "wrote twice: 2 images" in cli("dataset", "export", "twice", "--shape", "hf", "--keys", "base", *ALL).err
