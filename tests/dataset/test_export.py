"""Results as files: what stands in them, and what is counted instead."""

import json
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.benchmark.reading import read_annotations
from anomagent.benchmark.writing import project_page_entry, released_entry
from anomagent.dataset.export import Exported, Shape
from anomagent.dataset.stages import Stage, stage_of
from anomagent.errors import UsageError
from anomagent.state.findings import Analysis, Anomaly, UsageTotals
from anomagent.store import AnalysisResult, Workspace, begin_analysis, ingest_image, save_analysis
from anomagent.store.analyses import name_images
from anomagent.store.annotations import annotations_of, reading_newest
from tests.dataset.filling import add, begin, export_all, store_two
from tests.store.helpers import result
from tests.store.strategies import LISTS, TEXT, few
from tests.store.strategies import shape as dictionary
from tests.store.test_analyses import picture, ready

SAID = Anomaly(**result("")["anomalies"][0])

FULL_TEXT = TEXT.filter(str.strip)
NAME = FULL_TEXT.map(str.strip).filter(lambda name: name[0].isalpha() and not name.lower().startswith("name"))
"""Without a list prefix ("1. Name: "), which no name keeps when it is read."""
WORDS = st.from_regex(r"\A[a-z]{1,8}( [a-z]{1,8}){0,2}\Z")
"""What the classic text keeps: one line without marks and labels."""


def anomalies_of(name: st.SearchStrategy[str], text: st.SearchStrategy[str]) -> st.SearchStrategy[list[Any]]:
    return few(
        dictionary(
            name=name,
            phenomenon=text,
            reasoning=text,
            severity=st.integers(0, 100),
            objects=few(TEXT),
            support=st.integers(0, 9),
        )
    )


def lines(path: Path) -> list[Any]:
    """The values of JSON lines; what else Python takes for a line end may stand in their texts."""
    return [json.loads(line) for line in path.read_text("utf-8").split("\n")[:-1]]


@pytest.mark.parametrize(("shape", "entry"), [("released", released_entry), ("project-page", project_page_entry)])
def test_the_benchmarks_shapes_letter_by_letter(workspace: Workspace, tmp_path: Path, shape: Shape, entry: Any) -> None:
    store_two(workspace)
    expected = json.dumps({"a.png": [entry(SAID)], "b.png": []}, ensure_ascii=False, indent=4) + "\n"

    counts = export_all(workspace, tmp_path / "out.json", shape)

    assert (tmp_path / "out.json").read_text(encoding="utf-8") == expected
    assert counts == Exported(
        2, 1, failed=0, partial=1, running=0, file=str(tmp_path / "out.json"), unreviewed=1, open_images=1
    )


def test_the_classic_text(workspace: Workspace, tmp_path: Path) -> None:
    store_two(workspace)
    export_all(workspace, tmp_path / "out.json", "classic")
    assert json.loads((tmp_path / "out.json").read_text("utf-8")) == {
        "a.png": "@1. Name: Floating chair\n- Observed Phenomenon: A chair floats.\n- Reasoning: Gravity.\n"
        "- Severity Score: 10/100 (extremely unnatural)",
        "b.png": "No semantic anomalies.",
    }


def test_lines_are_those_of_a_run(workspace: Workspace, tmp_path: Path) -> None:
    saved = result(add(workspace, begin(workspace), "in/é.png"), "in/é.png")

    export_all(workspace, tmp_path / "out.jsonl", "jsonl")

    own = {key: value for key, value in saved.items() if key in Analysis.model_fields}
    printed = Analysis(**own, usage=UsageTotals.of(saved["calls"])).model_dump(mode="json")  # type: ignore[arg-type]
    assert (tmp_path / "out.jsonl").read_text("utf-8") == json.dumps(printed, ensure_ascii=False) + "\n"


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("shared")


def saved_alone(places: Path, lists: dict[str, Any]) -> tuple[Workspace, str, AnalysisResult]:
    """A workspace that many examples share, each with a run of its own."""
    workspace = Workspace.open(places / "workspace")
    run, sha256 = ready(workspace)
    saved = result(sha256, **lists)
    save_analysis(workspace, run, saved)
    return workspace, run, saved


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(lists=LISTS, said=anomalies_of(NAME, FULL_TEXT), content=st.sampled_from(["released", "project-page", "jsonl"]))
def test_what_is_exported_is_read_back(places: Path, lists: dict[str, Any], said: list[Any], content: Shape) -> None:
    workspace, run, saved = saved_alone(places, {**lists, "anomalies": said})
    counts = export_all(workspace, places / "out", content, run_id=run, overwrite=True)

    if saved["status"] == "failed":
        assert (counts.images, counts.failed) == (0, 1)
        assert (places / "out").read_text() == ("" if content == "jsonl" else "{}\n")
        return
    found, (stored,) = read_annotations(places / "out"), annotations_of(workspace, run).images.values()
    bare = [one.model_copy(update={"objects": [], "support": 0}) for one in stored.anomalies]
    assert list(found.images["a.png"].anomalies) == (list(stored.anomalies) if content == "jsonl" else bare)
    assert [one.model_dump() for one in stored.anomalies] == said
    assert (found.bad, counts.images, counts.anomalies) == ((), 1, len(said))


@settings(deadline=None, max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(said=anomalies_of(WORDS, WORDS))
def test_classic_text_is_read_back(places: Path, said: list[Any]) -> None:
    workspace, run, _ = saved_alone(places, {"anomalies": said})
    export_all(workspace, places / "out", "classic", run_id=run, overwrite=True)
    (found,) = read_annotations(places / "out").images.values()
    assert [one.model_dump() for one in found.anomalies] == [one | {"objects": [], "support": 0} for one in said]


@settings(deadline=None, max_examples=20, suppress_health_check=[HealthCheck.too_slow])
@given(lists=LISTS, stage=st.sampled_from(get_args(Stage)))
def test_every_stage_is_read_back(places: Path, lists: dict[str, Any], stage: Stage) -> None:
    workspace, run, saved = saved_alone(places, lists)
    export_all(workspace, places / "out", stage, run_id=run, statuses=("ok", "partial", "failed"), overwrite=True)
    (line,) = lines(places / "out")
    assert line.pop("run") == run
    assert line == {
        "image": "a.png",
        "sha256": saved["sha256"],
        "status": saved["status"],
        stage: stage_of(saved, stage),
    }
    assert annotations_of(workspace, run).images.keys() == {"a.png"}


def test_failed_is_no_empty_list(workspace: Workspace, tmp_path: Path) -> None:
    run, sha256 = store_two(workspace)
    add(workspace, run, "in/c.png", 3, status="failed", anomalies=[])
    begin_analysis(workspace, run, image="in/d.png", sha256=sha256, thread_id="t", schedule="paper")
    begin_analysis(workspace, run, image="in/b.png", sha256=sha256, thread_id="t", schedule="paper")

    counts = export_all(workspace, tmp_path / "out.json")
    assert set(json.loads((tmp_path / "out.json").read_text())) == {"a.png", "b.png"}
    assert (counts.images, counts.anomalies, counts.failed, counts.partial, counts.running) == (2, 1, 1, 1, 2)

    counts = export_all(workspace, tmp_path / "good.json", statuses=["ok"])
    assert json.loads((tmp_path / "good.json").read_text()) == {"b.png": []}
    assert (counts.images, counts.anomalies, counts.failed, counts.partial) == (1, 0, 1, 1)

    export_all(workspace, tmp_path / "all.jsonl", "jsonl", statuses=["failed", "ok"])
    assert [line["status"] for line in lines(tmp_path / "all.jsonl")] == ["ok", "failed"]
    with pytest.raises(UsageError, match="shape classic cannot say that an analysis failed"):
        export_all(workspace, tmp_path / "x", "classic", statuses=["failed"])


def test_the_newest_counts_and_a_run_stands_alone(workspace: Workspace, tmp_path: Path) -> None:
    first, _ = store_two(workspace)
    add(workspace, begin(workspace), "in/a.png", status="ok", anomalies=[])

    export_all(workspace, tmp_path / "all.json")
    export_all(workspace, tmp_path / "first.json", run_id=first)

    assert json.loads((tmp_path / "all.json").read_text()) == {"b.png": [], "a.png": []}
    assert len(json.loads((tmp_path / "first.json").read_text())["a.png"]) == 1
    with pytest.raises(UsageError, match="no run 'x'"):
        export_all(workspace, tmp_path / "x", run_id="x")


def test_images_that_share_a_base_name(workspace: Workspace, tmp_path: Path) -> None:
    run = begin(workspace)
    sha256 = add(workspace, run, "one/a.png")
    add(workspace, run, "copy/a.png")
    other = add(workspace, run, "two/a.png", 9)

    # The copy is the same image as the first; the picture in the other folder is not.
    with pytest.raises(UsageError, match=r"'copy/a.png' and 'two/a.png' share the base name 'a.png'.*--keys path"):
        export_all(workspace, tmp_path / "x.json")
    assert not (tmp_path / "x.json").exists()

    export_all(workspace, tmp_path / "path.json", key="path")
    assert list(json.loads((tmp_path / "path.json").read_text())) == ["one/a.png", "copy/a.png", "two/a.png"]
    export_all(workspace, tmp_path / "sha.json", key="sha256")
    assert list(json.loads((tmp_path / "sha.json").read_text())) == [sha256, other]
    # Lines name each image in full.
    export_all(workspace, tmp_path / "lines.jsonl", "jsonl")
    assert [line["image"] for line in lines(tmp_path / "lines.jsonl")] == ["copy/a.png", "two/a.png"]


def test_equal_files_are_analysed_once_and_written_under_each_name(workspace: Workspace, tmp_path: Path) -> None:
    run = begin(workspace)
    sha256 = add(workspace, run, "one/a.png")
    changed = add(workspace, run, "later.png", 9)
    # Further names of the content: one in another folder, one of its own, one that was another picture before.
    ingest_image(workspace, picture(9), "changed.png")
    for name in ("two/a.png", "b.png", "changed.png", "later.png", "<image>"):
        name_images(workspace, [(sha256, name)])

    counts = export_all(workspace, tmp_path / "first.json", names=["a.png", "b.png"])
    assert list(json.loads((tmp_path / "first.json").read_text())) == ["a.png", "b.png"]
    assert (counts.images, counts.anomalies, counts.partial) == (2, 2, 2)
    with pytest.raises(UsageError, match=r"'(changed|later).png' share the base name '(changed|later).png'"):
        export_all(workspace, tmp_path / "out.json")

    export_all(workspace, tmp_path / "out.jsonl", "jsonl", key="path")
    analysed, *further, own = lines(tmp_path / "out.jsonl")
    assert [line["image"] for line in further] == ["b.png", "changed.png", "two/a.png"]
    nothing = UsageTotals().model_dump()
    assert all(line == {**analysed, "image": line["image"], "usage": nothing, "seconds": 0} for line in further)
    assert analysed["usage"]["calls"] == own["usage"]["calls"] == 1
    assert (analysed["sha256"], own["sha256"]) == (sha256, changed), "a name stands for what was analysed under it last"

    export_all(workspace, tmp_path / "sha.json", key="sha256")
    assert list(json.loads((tmp_path / "sha.json").read_text())) == [sha256, changed]


def test_one_moment_of_a_batch_that_goes_on(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    save_analysis(workspace, run, result(sha256, "a.png"))
    with reading_newest(workspace) as newest:
        save_analysis(workspace, run, result(sha256, "a.png", status="ok", anomalies=[]))
        save_analysis(workspace, run, result(sha256, "b.png"))
        assert [(one.image, len(newest.anomalies(one.id))) for one in newest.listed(["ok", "partial"])] == [
            ("a.png", 1)
        ]
        assert {status: tally[:2] for status, tally in newest.tallies().items()} == {"partial": (1, 1)}
