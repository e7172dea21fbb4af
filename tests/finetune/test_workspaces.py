"""Training data from a workspace: what people accepted, on images that belong to the data set."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.finetune.instances import read_instances
from anomagent.state.classic_text import NO_ANOMALIES, parse_anomalies
from anomagent.store import Workspace
from anomagent.store.fingerprints import save_fingerprints
from anomagent.store.selections import write_selections
from anomagent.store.splits import Placed, save_parts
from anomagent.store.steps import dataset_step
from tests.dataset.filling import add, anomaly, begin, judge
from tests.dataset.near import lose_file
from tests.finetune.material import annotated, make

LISTS = {"a": ["leg", "arm", "ear"], "b": ["sky"], "c": ["cup", "hat", "cat"], "d": [], "e": ["nose"]}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    return Workspace.open(tmp_path / "workspace")


@pytest.fixture
def reviewed(workspace: Workspace) -> dict[str, str]:
    """a: two accepted, one rejected; b: all rejected; c: one accepted, one unsure, one unseen; d: nothing found;
    e: one candidate that nobody has seen."""
    run = begin(workspace)
    hashes = {
        image: add(workspace, run, f"in/{image}.png", place, status="ok", anomalies=[anomaly(name) for name in names])
        for place, (image, names) in enumerate(LISTS.items())
    }
    for name in ("leg", "ear", "cup"):
        judge(workspace, name, "ACCEPT")
    for name in ("arm", "sky"):
        judge(workspace, name, "REJECT")
    judge(workspace, "hat", "UNSURE")
    return hashes


def said(out: Path, part: str = "train") -> dict[str, list[str] | None]:
    """The names of the anomalies by image; None where the answer is that there is none."""
    found: dict[str, list[str] | None] = {}
    for one in read_instances(out / f"{part}.jsonl"):
        answer = one.turns[-1][1]
        names = None if answer == NO_ANOMALIES else sorted(said.name for said in parse_anomalies(answer).anomalies)
        found[one.id.split("/")[1]] = names
    return found


@pytest.mark.usefixtures("reviewed")
def test_accepted_candidates_alone(workspace: Workspace, tmp_path: Path) -> None:
    report = make(tmp_path / "out", workspace=workspace)

    assert said(tmp_path / "out") == {"a.png": ["ear", "leg"], "b.png": None, "c.png": ["cup"], "d.png": None}
    assert report["left_out"] == {"undecided": {"count": 1, "named": ["e.png"]}}
    for one in read_instances(tmp_path / "out" / "train.jsonl"):
        assert (tmp_path / "out" / one.image).resolve().stem == one.sha256
    assert make(tmp_path / "x", workspace=workspace, keep_empty=False)["left_out"]["no anomalies"]["count"] == 2


def test_nothing_is_accepted_before_anybody_has_looked(workspace: Workspace, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no image is analysed yet"):
        make(tmp_path / "out", workspace=workspace)
    add(workspace, begin(workspace), "a.png", status="ok", anomalies=[anomaly("leg")])
    with pytest.raises(UsageError, match=r"nothing is accepted yet.*anomagent review"):
        make(tmp_path / "out", workspace=workspace)


def test_an_empty_list_of_an_analysis_that_failed_in_part_says_nothing(workspace: Workspace, tmp_path: Path) -> None:
    run = begin(workspace)
    add(workspace, run, "a.png", 1, status="partial", anomalies=[])
    add(workspace, run, "b.png", 2, status="failed", anomalies=[])
    add(workspace, run, "c.png", 3, status="ok", anomalies=[])
    report = make(tmp_path / "out", workspace=workspace)
    assert said(tmp_path / "out") == {"c.png": None}
    assert {reason: one["count"] for reason, one in report["left_out"].items()} == {"incomplete": 1, "failed": 1}


def split_of(workspace: Workspace, **parts: str) -> None:
    with dataset_step(workspace, "split", {}) as step:
        save_parts(workspace, step, "half", [Placed(sha256, part, "hash") for sha256, part in parts.items()])


def test_a_split_of_the_workspace(workspace: Workspace, reviewed: dict[str, str], tmp_path: Path) -> None:
    split_of(workspace, **{reviewed["a"]: "train", reviewed["b"]: "train", reviewed["c"]: "test"})
    report = make(tmp_path / "out", workspace=workspace, split="half")
    assert said(tmp_path / "out") == {"a.png": ["ear", "leg"], "b.png": None}
    assert said(tmp_path / "out", "test") == {"c.png": ["cup"]}
    assert report["left_out"] == {"in no part": {"count": 2, "named": ["d.png", "e.png"]}}
    assert report["near_duplicates"] == {"compared": 0, "not_compared": 3}

    with pytest.raises(UsageError, match=r"no file and no split 'other' in workspace .*; it has half"):
        make(tmp_path / "x", workspace=workspace, split="other")
    real = annotated(tmp_path, {"r.png": "A street."}, "real")
    with pytest.raises(UsageError, match="is a split of the workspace alone"):
        make(tmp_path / "x", workspace=workspace, split="half", real=real, recipe="two-turn")


def test_near_duplicates_across_a_split(workspace: Workspace, reviewed: dict[str, str], tmp_path: Path) -> None:
    split_of(workspace, **{reviewed["a"]: "train", reviewed["b"]: "train", reviewed["c"]: "test"})
    prints = [(reviewed[name], bytes(7) + bytes([number])) for name, number in (("a", 3), ("c", 0))]
    save_fingerprints(workspace, "dct64-1", prints)
    with pytest.raises(UsageError, match=r"train/a.png: near test/c.png, 2 bits of 64 differ"):
        make(tmp_path / "out", workspace=workspace, split="half")
    report = make(tmp_path / "out", workspace=workspace, split="half", leakage="drop")
    assert said(tmp_path / "out") == {"b.png": None}
    assert report["near_duplicates"]["compared"] == 1


@pytest.mark.usefixtures("reviewed")
def test_a_split_file_for_the_workspace_and_real_images(workspace: Workspace, tmp_path: Path) -> None:
    split = tmp_path / "split.json"
    split.write_text('{"train": ["a.png", "r.png"], "test": ["c.png", "s.png"]}')
    real = annotated(tmp_path, {"r.png": "A street.", "s.png": "A tree."}, "real")
    make(tmp_path / "out", workspace=workspace, split=str(split), real=real, recipe="two-turn")
    turns = {
        (part, one.id.split("/")[1]): [answer[:9] for _, answer in one.turns]
        for part in ("train", "test")
        for one in read_instances(tmp_path / "out" / f"{part}.jsonl")
    }
    assert turns == {
        ("train", "a.png"): ["Yes.", "@1. Name:"],
        ("train", "r.png"): ["No.", "A street."],
        ("test", "c.png"): ["Yes.", "@1. Name:"],
        ("test", "s.png"): ["No.", "A tree."],
    }
    real = annotated(tmp_path, {"a.png": "A street."}, "real")
    with pytest.raises(UsageError, match=r"the workspace and .*real\.json both tell of 'a.png'"):
        make(tmp_path / "x", workspace=workspace, real=real, recipe="two-turn")


def test_images_that_were_filtered_out_are_not_learned(
    workspace: Workspace, reviewed: dict[str, str], tmp_path: Path
) -> None:
    with dataset_step(workspace, "filter", {}) as step:
        write_selections(workspace, step, "filter", [(reviewed["a"], False, "illustration")])
    report = make(tmp_path / "out", workspace=workspace)
    assert "a.png" not in said(tmp_path / "out")
    assert report["dropped_images"] == 1


def test_a_copy_that_is_lost(workspace: Workspace, reviewed: dict[str, str], tmp_path: Path) -> None:
    lose_file(workspace, reviewed["a"])
    with pytest.raises(UsageError, match=r"images that are not there: 1 \(a.png: .*the workspace has lost its copy"):
        make(tmp_path / "out", workspace=workspace)
    assert "a.png" not in (make(tmp_path / "out", workspace=workspace, missing="skip") and said(tmp_path / "out"))


def test_equal_bytes_each_time(workspace: Workspace, reviewed: dict[str, str], tmp_path: Path) -> None:
    changes: dict[str, Any] = {"workspace": workspace, "preferences": True}
    assert reviewed
    assert make(tmp_path / "a", **changes) == make(tmp_path / "b", **changes)


def test_an_imported_real_image_has_its_description(workspace: Workspace, tmp_path: Path) -> None:
    add(workspace, begin(workspace), "r.png", 1, status="ok", anomalies=[])
    with workspace.writing() as connection:
        connection.execute(
            "INSERT INTO findings (analysis_id, position, role, kind, item) VALUES (1, 99, 'Import', 'description', ?)",
            ['{"text": " A street. "}'],
        )
    report = make(tmp_path / "out", workspace=workspace, recipe="two-turn")
    (one,) = read_instances(tmp_path / "out" / "train.jsonl")
    assert [answer for _, answer in one.turns] == ["No.", "A street."]
    assert (report["parts"]["train"]["real"], report["parts"]["train"]["empty"]) == (1, 0)
