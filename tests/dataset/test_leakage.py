"""Leakage: planted pairs are found, of each kind, and what cannot be checked is counted."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.dataset.leakage import Finding, Item, find_leakage
from anomagent.dataset.leakage_sources import file_source, workspace_source
from anomagent.dataset.split import Choices, split
from anomagent.errors import UsageError
from anomagent.store import Workspace
from tests.dataset.filling import add, anomaly, begin
from tests.dataset.near import add_picture, lose_file, scenery


def bits(number: int) -> bytes:
    return number.to_bytes(8)


def test_near_duplicates_are_told_with_the_closest() -> None:
    items = [
        Item("a", "train", fingerprint=bits(0b1111)),
        Item("b", "train", fingerprint=bits(0b0001)),
        Item("c", "test", fingerprint=bits(0b0000)),
        Item("d", "test", fingerprint=bits(0xFFFF)),
        Item("e", "test", fingerprint=b""),
        Item("f", "test"),
    ]
    found = find_leakage(items, ["near-duplicates"], distance=4)
    # c is 4 from a and 1 from b; d is 12 from a.
    assert found.findings == (Finding("near-duplicates", "c", "test", "b", "train", 1, None, 2),)
    assert found.checked == {"near-duplicates": 4}
    assert found.summary()["kinds"] == {"near-duplicates": {"affected": 1, "checked": 4, "not_checked": 2}}
    assert found.affected() == {"train": 0, "test": 1}


def test_equal_files_are_told_once() -> None:
    twin = Item("a", "train", content="abc", fingerprint=bits(1))
    found = find_leakage([twin, replace(twin, name="b", part="test")])
    assert found.findings == (Finding("equal-files", "b", "test", "a", "train", None, None, 1),)


def test_prompts_are_equal_whatever_their_typing() -> None:
    items = [
        Item("a", "train", prompts=("A dog, running.",)),
        Item("b", "train", prompts=("a DOG running",)),
        Item("c", "test", prompts=("another", "a dog running!")),
        Item("d", "test", prompts=("?",)),
        Item("e", "test"),
    ]
    found = find_leakage(items, ["prompts"])
    assert found.findings == (Finding("prompts", "c", "test", "a", "train", None, "a dog running", 2),)
    assert found.checked == {"prompts": 3}


def test_entities_but_not_what_is_common() -> None:
    items = [
        Item("a", "train", prompts=("a bust of Marie Curie, shot on Leica",)),
        Item("b", "train", prompts=("a tree, shot on Leica",)),
        Item("c", "test", prompts=("a stamp with Marie Curie on it, shot on Leica",)),
        Item("d", "test", prompts=("A STREET IN PARIS",)),
    ]
    found = find_leakage(items, ["entities"], common=0, fewest=2)
    assert found.findings == (Finding("entities", "c", "test", "a", "train", None, "marie curie", 1),)
    assert (found.common, found.checked) == ({"leica": 3}, {"entities": 3})
    assert len(find_leakage(items, ["entities"], common=0, fewest=3).findings) == 2
    # Four images with prompts, one in capitals that say nothing: 0.9 of three are 2.7, 1.0 of them 3.
    assert find_leakage(items, ["entities"], common=0.9, fewest=0).common == {"leica": 3}
    assert find_leakage(items, ["entities"], common=1.0, fewest=0).common == {}


def test_a_name_in_a_good_part_of_a_small_data_set_is_found() -> None:
    parts = ["train"] * 15 + ["test"] * 6
    items = [Item(f"{place:02}", part, prompts=("a bust of Marie Curie",)) for place, part in enumerate(parts)]
    assert find_leakage(items, ["entities"]).affected() == {"train": 0, "test": 6}


def test_common_is_counted_by_image_and_not_by_prompt() -> None:
    prompts = tuple(f"a bust of Marie Curie, number {number}" for number in range(5))
    items = [Item("a", "train", prompts=prompts), Item("b", "test", prompts=prompts)]
    assert len(find_leakage(items, ["entities"], common=0, fewest=2).findings) == 1


def test_equal_annotations() -> None:
    items = [
        Item("a", "train", annotations=("A chair floats. Gravity.", "x")),
        Item("b", "test", annotations=("a chair floats – gravity", "y")),
        Item("c", "test", annotations=()),
    ]
    found = find_leakage(items, ["annotations"])
    assert [(one.image, one.shared) for one in found.findings] == [("b", "a chair floats gravity")]
    assert found.checked == {"annotations": 3}


def test_each_part_is_compared_with_those_before_it() -> None:
    items = [Item(part, part, prompts=("same",)) for part in ("test", "val", "train")]
    found = find_leakage(items, ["prompts"])
    assert [(one.part, one.other_part, one.others) for one in found.findings] == [
        ("val", "train", 1), ("test", "train", 2),
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(["train", "val", "test"]), st.integers(0, 7), st.integers(0, 5))))
@settings(deadline=None, max_examples=50)
def test_all_that_leaks_is_found_and_nothing_else(drawn: list[tuple[str, int, int]]) -> None:
    order = ["train", "val", "test"]
    items = [
        Item(f"{place:02}", part, fingerprint=bits(number << 8 | 0xFF), prompts=(f"prompt {prompt}",))
        for place, (part, number, prompt) in enumerate(drawn)
    ]
    found = find_leakage(items, ["near-duplicates", "prompts"], distance=1)
    for kind, alike in (
        ("near-duplicates", lambda a, b: (a[1] ^ b[1]).bit_count() <= 1),
        ("prompts", lambda a, b: a[2] == b[2]),
    ):
        expected = {}
        for place, one in enumerate(drawn):
            others = [b for b in drawn if order.index(b[0]) < order.index(one[0]) and alike(one, b)]
            if others:
                expected[f"{place:02}"] = len(others)
        assert {one.image: one.others for one in found.findings if one.kind == kind} == expected


def test_a_workspace_split_by_us_has_none_of_what_was_kept_together(workspace: Workspace, tmp_path: Path) -> None:
    for seed in range(4):
        add_picture(workspace, f"{seed}.png", scenery(seed), f"prompt {seed % 2}")
        add_picture(workspace, f"{seed}s.png", scenery(seed).resize((80, 80)), None)
    split(workspace, Choices())
    large, small = ([f"{seed}{end}.png" for seed in range(4)] for end in ("", "s"))
    (tmp_path / "careless.json").write_text(json.dumps({"train": large, "test": small}))
    split(workspace, Choices("careless", file=tmp_path / "careless.json"))
    lose_file(workspace, add_picture(workspace, "new.png", scenery(9)))

    source = workspace_source(workspace, "default")
    assert find_leakage(source.items).findings == ()
    assert (len(source.items), source.without_part, source.unreadable) == (8, 1, {})
    careless = find_leakage(workspace_source(workspace, "careless").items)
    assert {(one.kind, one.image, one.other) for one in careless.findings} == {
        ("near-duplicates", f"{seed}s.png", f"{seed}.png") for seed in range(4)
    }
    with pytest.raises(UsageError, match=r"no split 'zz' in workspace .*; it has careless, default"):
        workspace_source(workspace, "zz")


def test_files(tmp_path: Path) -> None:
    (tmp_path / "images" / "deep").mkdir(parents=True)
    scenery(1).save(tmp_path / "images" / "a.png")
    scenery(1).save(tmp_path / "images" / "deep" / "b.jpg", quality=60)
    (tmp_path / "images" / "broken.png").write_bytes(b"no")
    (tmp_path / "split.json").write_text(
        json.dumps({"train": ["x/a.png", "gone.png"], "test": ["b.jpg", "broken.png"]})
    )
    (tmp_path / "list.csv").write_text("image,prompt\nq/a.png,A dog\nb.jpg,a dog.\nunasked.png,\n")
    entry = {"Name": "n", "Observed Phenomenon": "p", "Reasoning": "r", "Severity Score": "5"}
    (tmp_path / "notes.json").write_text(json.dumps({"a.png": [entry], "b.jpg": [entry]}))

    source = file_source(
        tmp_path / "split.json", tmp_path / "images", tmp_path / "notes.json", tmp_path / "list.csv"
    )  # fmt: skip
    found = find_leakage(source.items)

    assert {(one.kind, one.image, one.other) for one in found.findings} == {
        ("near-duplicates", "b.jpg", "x/a.png"), ("prompts", "b.jpg", "x/a.png"), ("annotations", "b.jpg", "x/a.png"),
    }  # fmt: skip
    assert source.unreadable.keys() == {"gone.png", "broken.png"}
    assert found.checked == {
        "equal-files": 3, "near-duplicates": 2, "prompts": 2, "entities": 2, "annotations": 2,
    }  # fmt: skip


def test_two_files_of_one_name_are_refused(tmp_path: Path) -> None:
    for folder in ("x", "y"):
        (tmp_path / folder).mkdir()
        scenery(1).save(tmp_path / folder / "a.png")
        scenery(1).save(tmp_path / folder / "unasked.png")
    (tmp_path / "split.json").write_text(json.dumps({"train": ["a.png"], "test": []}))
    with pytest.raises(UsageError, match="share a base name; keep one"):
        file_source(tmp_path / "split.json", tmp_path)


def test_paths_tell_equal_names_apart(tmp_path: Path) -> None:
    for folder, seed in (("x", 1), ("y", 2)):
        (tmp_path / folder).mkdir()
        scenery(seed).save(tmp_path / folder / "a.png")
    (tmp_path / "split.json").write_text(json.dumps({"train": ["x/a.png"], "test": ["y/a.png"]}))
    (tmp_path / "list.csv").write_text("image,prompt\nx/a.png,A dog\ny/a.png,a cat\n")
    source = file_source(tmp_path / "split.json", tmp_path, prompts=tmp_path / "list.csv")
    assert {item.name: item.prompts for item in source.items} == {"x/a.png": ("A dog",), "y/a.png": ("a cat",)}
    assert len({item.content for item in source.items}) == 2


def test_annotations_of_a_workspace(workspace: Workspace, tmp_path: Path) -> None:
    run = begin(workspace)
    names = [f"{number}.png" for number in range(3)]
    for number, name in enumerate(names):
        add(workspace, run, name, 50 * number, anomalies=[anomaly("cup" if number < 2 else "dog")])
    (tmp_path / "split.json").write_text(json.dumps({"train": names[:1], "test": names[1:]}))
    split(workspace, Choices(file=tmp_path / "split.json"))
    found = find_leakage(workspace_source(workspace, "default").items, ["annotations"])
    assert [(one.image, one.other, one.shared) for one in found.findings] == [
        ("1.png", "0.png", "the cup is wrong no cup is so")
    ]
    assert found.checked == {"annotations": 3}


def test_only_what_is_asked_for_is_read(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomagent.dataset.fingerprints.fingerprint_file", lambda _: pytest.fail("a file was read"))
    lose_file(workspace, add_picture(workspace, "a.png", scenery(1), "a dog"))
    split(workspace, Choices(group=("prompts",)))
    source = workspace_source(workspace, "default", ["prompts"])
    assert (source.items[0].prompts, source.unreadable) == (("a dog",), {})
    (tmp_path / "split.json").write_text(json.dumps({"train": ["a.png"], "test": []}))
    assert file_source(tmp_path / "split.json", tmp_path / "gone", kinds=["prompts"]).unreadable == {}
