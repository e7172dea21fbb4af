"""What people accepted is what a data set holds; the rest is counted beside it."""

import json
from pathlib import Path

import pytest

from anomagent.dataset.export import Choices, export
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.analyses import name_images
from anomagent.store.annotations import annotations_of
from anomagent.store.selections import write_selections
from anomagent.store.splits import Placed, save_parts
from anomagent.store.steps import dataset_step
from tests.dataset.filling import add, anomaly, begin, export_all, judge


def names_in(path: Path) -> dict[str, list[str]]:
    return {image: [one["Name"] for one in said] for image, said in json.loads(path.read_text()).items()}


@pytest.fixture
def reviewed(workspace: Workspace) -> dict[str, str]:
    """a: two accepted, one rejected; b: all rejected; c: one accepted, one unsure, one unseen; d: nothing found."""
    run = begin(workspace)
    lists = {"a": ["leg", "arm", "ear"], "b": ["sky"], "c": ["cup", "hat", "cat"], "d": []}
    hashes = {
        image: add(workspace, run, f"{image}.png", place, status="ok", anomalies=[anomaly(name) for name in names])
        for place, (image, names) in enumerate(lists.items())
    }
    for name in ("leg", "ear", "cup"):
        judge(workspace, name, "ACCEPT")
    for name in ("arm", "sky"):
        judge(workspace, name, "REJECT")
    judge(workspace, "hat", "UNSURE")
    return hashes


@pytest.mark.usefixtures("reviewed")
def test_accepted_candidates_alone(workspace: Workspace, tmp_path: Path) -> None:
    counts = export(workspace, tmp_path / "out.json")
    assert names_in(tmp_path / "out.json") == {"a.png": ["leg", "ear"], "b.png": [], "d.png": []}
    assert (counts.images, counts.anomalies, counts.rejected, counts.unsure, counts.unreviewed) == (3, 2, 2, 0, 0)
    assert counts.open_images == 1, "c has candidates that are not decided"

    counts = export(workspace, tmp_path / "all.json", choices=Choices(undecided="include"))
    assert names_in(tmp_path / "all.json") == {"a.png": ["leg", "ear"], "b.png": [], "c.png": ["cup"], "d.png": []}
    assert (counts.images, counts.anomalies, counts.rejected, counts.unsure, counts.unreviewed) == (4, 3, 2, 1, 1)
    assert counts.open_images == 1
    assert {key: len(one.anomalies) for key, one in annotations_of(workspace, accepted=True).images.items()} == {
        "a.png": 2,
        "b.png": 0,
        "c.png": 1,
        "d.png": 0,
    }


@pytest.mark.usefixtures("reviewed")
def test_lines_tell_of_accepted_candidates_and_stages_of_all(workspace: Workspace, tmp_path: Path) -> None:
    export(workspace, tmp_path / "out.jsonl", "jsonl")
    export(workspace, tmp_path / "stage.jsonl", "anomalies")
    for file, number in (("out.jsonl", 2), ("stage.jsonl", 3)):
        first = json.loads((tmp_path / file).read_text().splitlines()[0])
        assert (first["image"], len(first["anomalies"])) == ("a.png", number)


def test_a_later_answer_changes_what_is_accepted(workspace: Workspace, tmp_path: Path) -> None:
    add(workspace, begin(workspace), "a.png", status="ok", anomalies=[anomaly("leg")])
    judge(workspace, "leg", "ACCEPT")
    judge(workspace, "leg", "REJECT")
    export(workspace, tmp_path / "out.json")
    assert names_in(tmp_path / "out.json") == {"a.png": []}


def test_nothing_is_accepted_before_anybody_has_looked(workspace: Workspace, tmp_path: Path) -> None:
    add(workspace, begin(workspace), "a.png", status="ok", anomalies=[anomaly("leg")])
    with pytest.raises(UsageError, match=r"nothing is accepted yet.*--anomalies all"):
        export(workspace, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
    assert export_all(workspace, tmp_path / "all.json").anomalies == 1


def test_where_nothing_was_found_nothing_needs_a_review(workspace: Workspace, tmp_path: Path) -> None:
    add(workspace, begin(workspace), "a.png", status="ok", anomalies=[])
    export(workspace, tmp_path / "out.json")
    assert names_in(tmp_path / "out.json") == {"a.png": []}


def test_a_content_is_reviewed_once_for_all_its_names(workspace: Workspace, tmp_path: Path) -> None:
    """People saw the newest analysis of the content, which was made under another name."""
    run = begin(workspace)
    sha256 = add(workspace, run, "old.png", status="ok", anomalies=[anomaly("leg")])
    add(workspace, run, "new.png", status="ok", anomalies=[anomaly("arm")])
    name_images(workspace, [(sha256, "third.png")])
    judge(workspace, "arm", "ACCEPT")
    export(workspace, tmp_path / "out.json")
    assert names_in(tmp_path / "out.json") == {"old.png": ["arm"], "new.png": ["arm"], "third.png": ["arm"]}

    judge(workspace, "leg", "REJECT")  # now the older one was seen as well
    export(workspace, tmp_path / "later.json")
    assert names_in(tmp_path / "later.json")["old.png"] == ["arm"]


def test_analysing_again_does_not_undo_a_review(workspace: Workspace, tmp_path: Path) -> None:
    first, second = (begin(workspace) for _ in range(2))
    for place, name in enumerate(("leg", "arm")):
        add(workspace, first, f"{name}.png", place, status="ok", anomalies=[anomaly(name)])
        judge(workspace, name, "ACCEPT")
        add(workspace, second, f"{name}.png", place, status="ok", anomalies=[anomaly(f"new {name}")])
    counts = export(workspace, tmp_path / "out.json")
    assert names_in(tmp_path / "out.json") == {"leg.png": ["leg"], "arm.png": ["arm"]}
    assert (counts.anomalies, counts.superseded, counts.open_images) == (2, 2, 0)

    judge(workspace, "new arm", "REJECT")  # whoever looks at the newer one means it
    counts = export(workspace, tmp_path / "later.json")
    assert names_in(tmp_path / "later.json") == {"leg.png": ["leg"], "arm.png": []}
    assert counts.superseded == 1
    with pytest.raises(UsageError, match="nothing is accepted yet"):
        export(workspace, tmp_path / "x.json", choices=Choices(run_id=second, names=["leg.png"]))


def test_what_nobody_has_finished_is_no_clean_image(workspace: Workspace, tmp_path: Path) -> None:
    add(workspace, begin(workspace), "a.png", status="ok", anomalies=[anomaly("leg"), anomaly("arm")])
    judge(workspace, "leg", "REJECT")
    with pytest.raises(UsageError, match=r"every image has a candidate that is undecided.*--open include"):
        export(workspace, tmp_path / "out.json")
    assert not (tmp_path / "out.json").exists()
    export(workspace, tmp_path / "out.json", choices=Choices(undecided="include"))
    assert names_in(tmp_path / "out.json") == {"a.png": []}


def test_the_review_of_other_images_is_none_of_these(
    workspace: Workspace, reviewed: dict[str, str], tmp_path: Path
) -> None:
    """Nothing of e.png was reviewed, however much of the others was."""
    add(workspace, begin(workspace), "e.png", 9, status="ok", anomalies=[anomaly("fin")])
    with pytest.raises(UsageError, match="nothing is accepted yet, nobody has reviewed a candidate of these images"):
        export(workspace, tmp_path / "out.json", choices=Choices(names=["e.png", "d.png"]))


def test_two_contents_of_one_name_keep_what_was_accepted(workspace: Workspace, tmp_path: Path) -> None:
    run = begin(workspace)
    hashes = [add(workspace, run, "a.png", place, status="ok", anomalies=[anomaly(f"leg {place}")]) for place in (0, 1)]
    for place in (0, 1):
        judge(workspace, f"leg {place}", "ACCEPT")
    export(workspace, tmp_path / "sha.json", choices=Choices(key="sha256"))
    assert names_in(tmp_path / "sha.json") == {hashes[0]: ["leg 0"], hashes[1]: ["leg 1"]}
    counts = export(workspace, tmp_path / "path.json", choices=Choices(key="path"))
    assert (names_in(tmp_path / "path.json"), counts.hidden) == ({"a.png": ["leg 1"]}, 1)
    with pytest.raises(UsageError, match=r"two different images called 'a.png' share the base name 'a.png'"):
        export(workspace, tmp_path / "base.json")


def test_images_that_were_filtered_out_are_in_no_file(
    workspace: Workspace, reviewed: dict[str, str], tmp_path: Path
) -> None:
    with dataset_step(workspace, "filter", {}) as step:
        write_selections(workspace, step, "filter", [(reviewed["a"], False, "illustration")])
    for choices in (Choices(), Choices(anomalies="all")):
        counts = export(workspace, tmp_path / f"{choices.anomalies}.json", choices=choices)
        assert (counts.images, counts.dropped) == (3 - (choices.anomalies == "accepted"), 1)
        assert "a.png" not in names_in(tmp_path / f"{choices.anomalies}.json")


@pytest.mark.usefixtures("reviewed")
def test_named_images_alone(workspace: Workspace, tmp_path: Path) -> None:
    counts = export(workspace, tmp_path / "out.json", choices=Choices(names=["x/a.png", "d.png", "none.png"]))
    assert names_in(tmp_path / "out.json") == {"a.png": ["leg", "ear"], "d.png": []}
    assert (counts.images, counts.unknown) == (2, 1)


def split_of(workspace: Workspace, **parts: str) -> None:
    with dataset_step(workspace, "split", {}) as step:
        save_parts(workspace, step, "half", [Placed(sha256, part, "hash") for sha256, part in parts.items()])


def test_a_split_is_a_folder(workspace: Workspace, reviewed: dict[str, str], tmp_path: Path) -> None:
    split_of(workspace, **{reviewed["a"]: "train", reviewed["b"]: "train", reviewed["c"]: "test"})
    counts = export(workspace, tmp_path / "out", choices=Choices(split="half", undecided="include"))

    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["split.json", "test.json", "train.json"]
    assert names_in(tmp_path / "out" / "train.json") == {"a.png": ["leg", "ear"], "b.png": []}
    assert names_in(tmp_path / "out" / "test.json") == {"c.png": ["cup"]}
    assert json.loads((tmp_path / "out" / "split.json").read_text()) == {
        "train": ["a.png", "b.png"],
        "test": ["c.png"],
    }
    assert (counts.images, counts.unassigned, counts.rejected) == (3, 1, 2)

    with pytest.raises(UsageError, match=r"no split 'other'.*known: half"):
        export(workspace, tmp_path / "x", choices=Choices(split="other"))
    with pytest.raises(UsageError, match="exists; give --force"):
        export(workspace, tmp_path / "out", choices=Choices(split="half"))
    export(workspace, tmp_path / "out", "jsonl", Choices(split="half", overwrite=True))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["split.json", "test.jsonl", "train.jsonl"]


def test_a_part_is_no_path(workspace: Workspace, reviewed: dict[str, str], tmp_path: Path) -> None:
    split_of(workspace, **{reviewed["a"]: "../x"})
    with pytest.raises(UsageError, match=r"'../x' is no part of a split"):
        export(workspace, tmp_path / "out", choices=Choices(split="half"))
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


@pytest.mark.usefixtures("reviewed")
def test_a_folder_of_somebody_else_is_never_replaced(workspace: Workspace, tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.tex").write_text("years of work")
    with pytest.raises(UsageError, match=r"holds thesis.tex"):
        export(workspace, tmp_path / "out", "hf", Choices(overwrite=True))
    assert (tmp_path / "out" / "thesis.tex").read_text() == "years of work"
    for own in (workspace.path, workspace.path.parent):
        with pytest.raises(UsageError, match=r"belongs to the workspace|which no export wrote"):
            export(workspace, own, "hf", Choices(overwrite=True))
