import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from PIL import Image

from anomagent.errors import StoreError, UsageError
from anomagent.state.findings import UsageTotals
from anomagent.store import (
    AnalysisResult,
    Workspace,
    begin_analysis,
    find_analyses,
    ingest_image,
    list_analyses,
    read_analysis,
    save_analysis,
    start_run,
)
from anomagent.store import (
    workspace as workspace_module,
)
from tests.store.helpers import result, shrink_disk
from tests.store.strategies import LISTS


def picture(colour: int = 0) -> bytes:
    buffer = io.BytesIO()
    Image.new("L", (4, 4), colour).save(buffer, "PNG")
    return buffer.getvalue()


def ready(workspace: Workspace, colour: int = 0, name: str = "a.png") -> tuple[str, str]:
    """A run and an image, by id and hash."""
    return start_run(workspace, "run", {}, "hash"), ingest_image(workspace, picture(colour), name)["sha256"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Workspace, str, str]:
    workspace = Workspace.open(tmp_path_factory.mktemp("shared"))
    return workspace, *ready(workspace)


@settings(deadline=None, max_examples=40, suppress_health_check=[HealthCheck.too_slow])
@given(lists=LISTS)
def test_what_is_saved_is_read_back(shared: tuple[Workspace, str, str], lists: dict[str, Any]) -> None:
    workspace, run, sha256 = shared
    saved = result(sha256, **lists)

    stored = read_analysis(workspace, save_analysis(workspace, run, saved))

    assert {key: stored[key] for key in AnalysisResult.__annotations__} == saved  # type: ignore[literal-required]
    assert stored["run_id"] == run
    assert stored["usage"] == UsageTotals.of(saved["calls"])


def test_an_analysis_lasts_from_its_start_to_its_end(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)

    stored = read_analysis(workspace, save_analysis(workspace, run, result(sha256)))

    assert stored["started"] < stored["finished"]


def test_statements_can_be_read_with_sql(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    save_analysis(workspace, run, result(sha256))

    with workspace.reading() as connection:
        rows = connection.execute("SELECT role, kind, object, phenomenon FROM statements ORDER BY id").fetchall()

    assert rows == [
        ("AttributeAnalyzer", "observation", "chair", "no legs"),
        ("AttributeAnalyzer", "issue", "chair", "it floats"),
        ("RelationReasoner", "issue", "chair", "it floats"),
        ("AnomalyIntegrator", "report", "chair", "floats"),
        ("AnomalyIntegrator", "contradiction", "chair", "stands or floats"),
        ("ObjectPerceiver", "object", "chair", None),
        ("SceneScanner", "scan", "chair", "floats"),
        ("AnomalyIntegrator", "candidate", "chair", "floats"),
    ]


def test_the_view_of_results_is_what_a_run_prints(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    saved = result(sha256)
    save_analysis(workspace, run, saved)

    with workspace.reading() as connection:
        (line,) = connection.execute("SELECT result FROM results").fetchone()

    assert json.loads(line) == {
        **{key: saved[key] for key in ("image", "sha256", "status", "schedule", "anomalies", "failures")},  # type: ignore[literal-required]
        "usage": UsageTotals.of(saved["calls"]).model_dump(),
        "seconds": 2.0,
    }


def test_a_running_analysis_is_completed(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    begun = begin_analysis(workspace, run, image="a.png", sha256=sha256, thread_id="thread", schedule="paper")
    assert [a["status"] for a in list_analyses(workspace, statuses=["running"])] == ["running"]
    with pytest.raises(UsageError):
        read_analysis(workspace, begun)

    assert save_analysis(workspace, run, result(sha256)) == begun
    assert list_analyses(workspace, statuses=["running"]) == []


def test_saving_again_adds_and_replaces_nothing(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    first = save_analysis(workspace, run, result(sha256, status="failed", anomalies=[]))

    second = save_analysis(workspace, run, result(sha256))

    assert [read_analysis(workspace, a)["status"] for a in (first, second)] == ["failed", "partial"]


def test_an_analysis_is_saved_whole_or_not_at_all(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run, sha256 = ready(workspace)
    shrink_disk(monkeypatch, workspace_module, spare_pages=5)
    failures = [{"role": "r", "object": None, "error": "e", "message": "x" * 100_000}]

    with pytest.raises(StoreError, match="disk full"):
        save_analysis(workspace, run, result(sha256, failures=failures))

    assert list_analyses(workspace) == []
    with workspace.reading() as connection:
        assert connection.execute("SELECT * FROM objects").fetchall() == []


def test_half_a_surrogate_pair_is_no_reason_to_lose_an_analysis(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)

    saved = save_analysis(workspace, run, result(sha256, objects=[{"name": "a\ud83d", "description": ""}]))

    assert read_analysis(workspace, saved)["objects"] == [{"name": "a?", "description": ""}]


def test_analyses_are_found_by_run_name_file_and_hash(workspace: Workspace, tmp_path: Path) -> None:
    run, sha256 = ready(workspace, 0, "in/a.png")
    later, other = ready(workspace, 9, "in/b.png")
    old = save_analysis(workspace, run, result(sha256))
    new = save_analysis(workspace, later, result(sha256))
    save_analysis(workspace, later, result(other))
    (tmp_path / "renamed.png").write_bytes(picture(0))

    def ids(what: str) -> list[int]:
        return [analysis["id"] for analysis in find_analyses(workspace, what)]

    assert ids(run) == [old]
    assert ids("in/a.png") == [new, old]
    assert ids(str(tmp_path / "renamed.png")) == [new, old]
    assert ids(sha256[:8]) == ids(sha256[:8].upper()) == ids(sha256) == [new, old]


@pytest.mark.parametrize("what", ["never.png", "abcdef012345", "abc", "", "a\0b", "20260101-000000-abcdef", "\ud83d"])
def test_what_was_not_analysed_is_not_found(workspace: Workspace, what: str) -> None:
    run, sha256 = ready(workspace)
    begin_analysis(workspace, run, image="a.png", sha256=sha256, thread_id="thread", schedule="paper")

    with pytest.raises(UsageError, match="not analysed yet"):
        find_analyses(workspace, what)


def test_an_ambiguous_hash_asks_for_more(workspace: Workspace) -> None:
    with workspace.writing() as connection:
        for end in "01":
            sha256 = "abcdef" + "0" * 57 + end
            connection.execute("INSERT INTO images VALUES (?, 1, 1, 'PNG', 1, 1, 'p', 'now')", (sha256,))

    with pytest.raises(UsageError, match="more than one image"):
        find_analyses(workspace, "abcdef")


def test_summaries_are_filtered(workspace: Workspace) -> None:
    run, sha256 = ready(workspace, 0)
    later, other = ready(workspace, 9)
    save_analysis(workspace, run, result(sha256, status="failed"))
    save_analysis(workspace, run, result(other, status="ok", thread_id="other"))
    save_analysis(workspace, later, result(sha256, status="ok"))

    def found(**filters: Any) -> list[tuple[str, str]]:
        return [(a["run_id"], a["sha256"]) for a in list_analyses(workspace, **filters)]

    assert found() == [(run, sha256), (run, other), (later, sha256)]
    assert found(run_id=run) == [(run, sha256), (run, other)]
    assert found(sha256=sha256) == [(run, sha256), (later, sha256)]
    assert found(thread_id="other") == [(run, other)]
    assert found(statuses=["failed"]) == [(run, sha256)]
    assert found(statuses=["failed"], latest=True) == []
    assert found(latest=True) == [(run, other), (later, sha256)]
    assert [(a["anomalies"], a["failures"]) for a in list_analyses(workspace, run_id=later)] == [(1, 1)]


def test_an_image_is_found_by_its_file_name_alone(workspace: Workspace, tmp_path: Path) -> None:
    for folder, colour in (("a", "red"), ("b", "blue")):
        (tmp_path / folder).mkdir()
        for name in ("same.png", f"{colour}.png"):
            Image.new("RGB", (8, 8), colour).save(tmp_path / folder / name)
            image = ingest_image(workspace, tmp_path / folder / name)
            run = start_run(workspace, "run", {}, "h")
            save_analysis(workspace, run, result(image["sha256"], name))
    assert {analysis["image"] for analysis in find_analyses(workspace, "blue.png")} == {"same.png", "blue.png"}
    with pytest.raises(UsageError, match="more than one image has this file name"):
        find_analyses(workspace, "same.png")
