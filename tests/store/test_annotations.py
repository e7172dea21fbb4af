"""A workspace's analyses as annotations."""

import sqlite3
from collections.abc import Sequence
from typing import Any

import pytest

from anomagent.benchmark.annotations import ImageAnnotations
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.store import Workspace, annotations, begin_analysis, newest_analyses, save_analysis, start_run
from anomagent.store.annotations import annotations_of, reading_newest
from anomagent.store.candidates import read_candidates
from anomagent.store.database import select
from tests.store.helpers import result
from tests.store.test_analyses import ready

FOUND = (
    Anomaly(
        name="Floating chair",
        phenomenon="A chair floats.",
        reasoning="Gravity.",
        severity=10,
        objects=["chair"],
        support=2,
    ),
)


def test_the_analyses_of_a_run(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    _, other = ready(workspace, 9)
    later, _ = ready(workspace)
    begin_analysis(workspace, run, image="c.png", sha256=sha256, thread_id="t", schedule="paper")
    save_analysis(workspace, run, result(sha256, "in/a.png"))
    save_analysis(workspace, run, result(other, "b.png", status="failed", anomalies=[]))
    save_analysis(workspace, later, result(sha256, "in/a.png", status="ok", anomalies=[]))

    found = annotations_of(workspace, run)

    assert found.source == f"run {run}"
    assert found.images == {
        "in/a.png": ImageAnnotations("in/a.png", FOUND, partial="RelationReasoner: floor: refused: no"),
        "b.png": ImageAnnotations("b.png", failure="RelationReasoner: floor: refused: no"),
    }
    assert annotations_of(workspace, later).images == {"in/a.png": ImageAnnotations("in/a.png")}


def test_the_newest_of_the_workspace_counts(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    later, other = ready(workspace, 9)
    save_analysis(workspace, run, result(sha256, "a.png", status="failed", anomalies=[]))
    save_analysis(workspace, run, result(other, "b.png", status="ok", anomalies=[]))
    save_analysis(workspace, later, result(sha256, "a.png", status="ok"))
    save_analysis(workspace, later, result(other, "b.png", status="failed", anomalies=[]))  # hides nothing

    found = annotations_of(workspace)

    assert found.source == f"workspace {workspace.path}"
    assert found.images == {"a.png": ImageAnnotations("a.png", FOUND), "b.png": ImageAnnotations("b.png")}


def test_content_that_moved_is_one_image_and_two_names_are_two(workspace: Workspace) -> None:
    run, sha256 = ready(workspace)
    _, other = ready(workspace, 9)
    for image in ("old/a.png", "new/a.png", "copy.png"):
        save_analysis(workspace, run, result(sha256, image))
    assert list(annotations_of(workspace).by_base_name()) == ["a.png", "copy.png"]

    # Another picture under the name of an old one, which is still there: which one is meant is open.
    save_analysis(workspace, run, result(other, "new/a.png", status="ok", anomalies=[]))
    with pytest.raises(UsageError, match=r"two different images were analysed as 'new/a.png'"):
        annotations_of(workspace)


def test_two_contents_of_one_name_are_both_there(workspace: Workspace) -> None:
    """Neither of them loses its analysis, by whatever is not the name itself."""
    run, one = ready(workspace)
    _, other = ready(workspace, 9)
    for sha256 in (one, other, one):
        save_analysis(workspace, run, result(sha256, "a.png", status="ok"))
    for key, hidden, expected in (("sha256", 0, {one, other}), ("base", 0, {one, other}), ("path", 1, {one})):
        with reading_newest(workspace, key=key) as newest:  # type: ignore[arg-type]
            assert {listed.sha256 for listed in newest.listed(["ok"])} == expected
            assert newest.hidden == hidden
    assert [image.sha256 for image in read_candidates(workspace).images] == sorted([one, other]), "the review has both"


def test_many_analyses_take_a_few_queries(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    run, sha256 = ready(workspace)
    for number in range(30):
        save_analysis(workspace, run, result(sha256, f"{number}.png"))
    asked: list[str] = []

    def counted(connection: sqlite3.Connection, query: str, *more: Sequence[object]) -> list[dict[str, Any]]:
        asked.append(query)
        return select(connection, query, *more)

    for module in (annotations, newest_analyses):
        monkeypatch.setattr(module, "select", counted)
    assert len(annotations_of(workspace, run).images) == 30
    assert len(asked) == 3


def test_a_run_that_is_not_there(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match=r"no run 'x' .*; it has none yet"):
        annotations_of(workspace, "x")
    runs = [start_run(workspace, "run", {}, "h") for _ in range(6)]
    with pytest.raises(UsageError, match=r"no run 'x' .*; the last ones are ") as caught:
        annotations_of(workspace, "x")
    assert sum(run in str(caught.value) for run in runs) == 5


def test_nothing_is_finished_yet(workspace: Workspace) -> None:
    run, _ = ready(workspace)
    for wanted in (None, run):
        with pytest.raises(UsageError, match="no image is analysed yet"):
            annotations_of(workspace, wanted)
