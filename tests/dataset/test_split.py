"""A workspace's splits: kept for good, side by side, from official files and as files."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest

from anomagent.benchmark.reading import read_split
from anomagent.dataset.dedupe import Choices as Dedupe
from anomagent.dataset.dedupe import dedupe
from anomagent.dataset.split import Choices, split
from anomagent.errors import ConfigurationError, UsageError
from anomagent.store import Workspace
from anomagent.store.selections import write_selections
from anomagent.store.splits import Placed, count_parts, read_members, save_parts
from anomagent.store.steps import dataset_step, read_steps
from tests.dataset.near import add_picture, encoded, lose_file, scenery

module = sys.modules[split.__module__]


def fill(workspace: Workspace, count: int = 6) -> list[str]:
    """Pictures 0.png, 1.png, ... with a prompt each, and small.png, which is 0.png made smaller."""
    found = [add_picture(workspace, f"in/{seed}.png", scenery(seed), f"Prompt {seed}") for seed in range(count)]
    return [*found, add_picture(workspace, "in/small.png", scenery(0).resize((99, 99)))]


def parts_in(workspace: Workspace, name: str = "default") -> dict[str, str | None]:
    return {one.names[0]: one.part for one in read_members(workspace, name)}


def write(path: Path, **parts: list[str]) -> Path:
    path.write_text(json.dumps(parts))
    return path


def test_a_split_is_made_once_and_told_of(workspace: Workspace) -> None:
    fill(workspace)
    made = split(workspace, Choices(ratio="test=1,train=3", seed=7))

    parts = parts_in(workspace)
    assert parts["in/0.png"] == parts["in/small.png"]
    assert None not in parts.values()
    summary = made.summary()
    assert (summary["images"], summary["placed"], summary["groups"], summary["without_prompt"]) == (7, 7, 1, 1)
    assert summary["parts"]["train"]["asked"] == 0.75
    (step,) = read_steps(workspace)
    assert (step["step"], step["settings"]["ratio"], step["settings"]["seed"]) == ("split", "train=3/4,test=1/4", 7)
    assert step["result"] == summary

    assert split(workspace, Choices()).summary()["placed"] == 0
    assert parts_in(workspace) == parts


def test_new_images_are_placed_as_the_split_was_made(workspace: Workspace) -> None:
    fill(workspace)
    split(workspace, Choices(ratio="train=1"))
    before = parts_in(workspace)
    add_picture(workspace, "in/9.png", scenery(9))

    split(workspace, Choices())

    assert parts_in(workspace) == before | {"in/9.png": "train"}


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        (Choices(seed=1), "--seed 0"),
        (Choices(ratio="train=9,test=1"), "--ratio train=1/2,test=1/2"),
        (Choices(group=()), "--group near-duplicates,prompts"),
        (Choices(distance=4), "--distance 6"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_a_split_is_not_made_by_two_rules(workspace: Workspace, changed: Choices, said: str) -> None:
    fill(workspace, 1)
    split(workspace, Choices())
    with pytest.raises(ConfigurationError, match=f"made with {said}; keep it, or give --name"):
        split(workspace, changed)
    split(workspace, Choices(ratio="test=0.5,train=0.5", seed=0))  # the same in other words


def test_splits_stand_side_by_side(workspace: Workspace) -> None:
    fill(workspace)
    split(workspace, Choices("a", ratio="train=1"))
    split(workspace, Choices("b", ratio="test=1", group=()))
    assert count_parts(workspace) == {"a": {"train": 7}, "b": {"test": 7}}


def test_a_split_as_a_file(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace)
    add_picture(workspace, "again/0b.png", scenery(0))  # equal to in/0.png: both names are in its part
    split(workspace, Choices(), tmp_path / "split.json")

    parts = {name: part for part, names in read_split(tmp_path / "split.json").items() for name in names}

    assert len(parts) == 8
    assert parts["0.png"] == parts["0b.png"] == parts["small.png"]
    assert parts.items() >= {Path(name).name: part for name, part in parts_in(workspace).items()}.items()
    with pytest.raises(UsageError, match="exists; give --force"):
        split(workspace, Choices(), tmp_path / "split.json")
    written = (tmp_path / "split.json").read_bytes()
    split(workspace, Choices(), tmp_path / "split.json", overwrite=True)
    assert (tmp_path / "split.json").read_bytes() == written


def test_names_that_a_file_cannot_tell_apart_are_refused_before_anything_is_placed(
    workspace: Workspace, tmp_path: Path
) -> None:
    add_picture(workspace, "a/x.png", scenery(1))
    add_picture(workspace, "b/x.png", scenery(2))
    with pytest.raises(UsageError, match=r"split default: two different images .* are called 'x.png'"):
        split(workspace, Choices(), tmp_path / "split.json")
    assert count_parts(workspace) == {}


def test_an_official_file_is_taken_as_it_is(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace, 3)
    file = write(tmp_path / "official.json", train=["x/0.png", "1.png"], test=["2.png", "small.png"])

    made = split(workspace, Choices("official", file=file))

    assert parts_in(workspace, "official") == {
        "in/0.png": "train", "in/1.png": "train", "in/2.png": "test", "in/small.png": "test",
    }  # fmt: skip
    (clash,) = made.summary()["clashes_shown"]  # 0.png and small.png are near-duplicates
    assert {(one["image"], one["part"]) for one in clash["images"]} == {("in/0.png", "train"), ("in/small.png", "test")}
    assert split(workspace, Choices("official", file=file)).summary()["placed"] == 0


def test_names_that_do_not_fit_are_counted_and_refused(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace, 3)
    file = write(tmp_path / "official.json", train=["0.png", "gone.png"], test=["1.png"])
    with pytest.raises(UsageError, match=r"1 name \('gone.png'\) that no image .* give --unknown skip"):
        split(workspace, Choices(file=file))
    with pytest.raises(UsageError, match=r"2 images \(.*\) that the file does not name; give --unlisted leave"):
        split(workspace, Choices(file=file, unknown="skip"))
    assert count_parts(workspace) == {}

    left = split(workspace, Choices("left", file=file, unknown="skip", unlisted="leave")).summary()
    assert (left["placed"], left["without_part"], left["unknown_names"], left["unlisted_images"]) == (2, 2, 1, 2)

    split(workspace, Choices("placed", file=file, unknown="skip", unlisted="place"))
    assert parts_in(workspace, "placed")["in/small.png"] == "train"  # with its near-duplicate of the file
    assert None not in parts_in(workspace, "placed").values()


def test_an_official_file_moves_nobody(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace, 1)
    split(workspace, Choices(ratio="train=1"))
    file = write(tmp_path / "official.json", test=["0.png", "small.png"])
    with pytest.raises(UsageError, match=r"is in test here and in train of this split, where it stays"):
        split(workspace, Choices(file=file))


def test_equal_files_in_two_parts_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    add_picture(workspace, "a.png", scenery(1))
    add_picture(workspace, "b.png", scenery(1))
    file = write(tmp_path / "official.json", train=["a.png"], test=["b.png"])
    with pytest.raises(UsageError, match=r"'b.png' in test and 'a.png' in train are equal files"):
        split(workspace, Choices(file=file))


def test_what_could_not_be_compared_is_counted(workspace: Workspace) -> None:
    *_, lost = fill(workspace, 2)
    lose_file(workspace, lost)
    add_picture(workspace, "red.png", scenery(1).point(lambda _: 200))
    made = split(workspace, Choices())
    assert (list(made.unreadable), made.flat, made.without_prompt) == ([lost], 1, 2)


def test_nothing_to_split(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="its data set has no image; ingest some first"):
        split(workspace, Choices())


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "x" * 101])
def test_a_name_is_a_short_word(workspace: Workspace, name: str) -> None:
    with pytest.raises(ConfigurationError, match="is no name"):
        split(workspace, Choices(name))


def test_names_are_matched_whatever_their_unicode_form(workspace: Workspace, tmp_path: Path) -> None:
    from anomagent.store import ingest_image

    ingest_image(workspace, encoded(scenery(1)), "images/é.png")
    file = write(tmp_path / "official.json", train=["e\u0301.png"], test=[])  # the same name, composed otherwise
    split(workspace, Choices(file=file))
    assert parts_in(workspace) == {"images/é.png": "train"}


def test_a_part_that_two_places_at_once_is_the_stored_one(
    workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(workspace)
    save = module.save_parts

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(module, "save_parts", save)
        split(workspace, Choices(ratio="train=1"), tmp_path / "other.json")
        save(*arguments)

    monkeypatch.setattr(module, "save_parts", late)
    made = split(workspace, Choices(), tmp_path / "split.json")

    assert set(parts_in(workspace).values()) == {"train"}
    assert (made.summary()["placed"], made.choices.ratio) == (0, "train=1")
    assert (tmp_path / "split.json").read_text() == (tmp_path / "other.json").read_text()
    assert [step["finished"] is None for step in read_steps(workspace)] == [True, False, False]


def test_another_rule_that_was_faster_is_told(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(workspace)
    save = module.save_parts

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(module, "save_parts", save)
        split(workspace, Choices(seed=2))
        save(*arguments)

    monkeypatch.setattr(module, "save_parts", late)
    with pytest.raises(ConfigurationError, match="was made with --seed 2"):
        split(workspace, Choices(seed=1))


@pytest.mark.parametrize("anew", [False, True])
def test_a_better_copy_does_not_move_a_picture_across_the_split(workspace: Workspace, anew: bool) -> None:
    for seed in range(8):
        add_picture(workspace, f"{seed}.png", scenery(seed, 128))
    split(workspace, Choices())
    before = parts_in(workspace)
    for seed in range(8):
        add_picture(workspace, f"{seed}@2x.png", scenery(seed))
    dedupe(workspace, Dedupe(anew=anew), apply=True)
    split(workspace, Choices())
    assert parts_in(workspace) == before


def test_an_image_that_was_dropped_holds_its_part_for_what_takes_its_place(workspace: Workspace) -> None:
    small = [add_picture(workspace, f"{seed}.png", scenery(seed, 128)) for seed in range(8)]
    split(workspace, Choices())
    before = parts_in(workspace)
    with dataset_step(workspace, "filter", {}) as step:
        write_selections(workspace, step, "filter", [(sha256, False, "small") for sha256 in small])
    for seed in range(8):
        add_picture(workspace, f"{seed}@2x.png", scenery(seed))

    made = split(workspace, Choices())

    assert {name.replace("@2x", ""): part for name, part in parts_in(workspace).items()} == before
    assert (made.summary()["images"], made.summary()["placed"], made.summary()["clashes"]) == (8, 8, 0)


def test_equal_names_in_folders_that_the_file_does_not_name_do_not_matter(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace, 1)
    add_picture(workspace, "a/x.png", scenery(4)), add_picture(workspace, "b/x.png", scenery(5))
    file = write(tmp_path / "official.json", train=["0.png"], test=["small.png"])
    split(workspace, Choices(file=file, unlisted="leave"))
    assert parts_in(workspace)["in/0.png"] == "train"
    named = write(tmp_path / "named.json", train=["x.png"])
    with pytest.raises(UsageError, match=r"two different images .* are called 'x.png'; give paths in the file"):
        split(workspace, Choices("named", file=named, unlisted="leave"))


@pytest.mark.parametrize("keys", ["path", "sha256"])
def test_a_split_by_other_keys_is_read_again(workspace: Workspace, tmp_path: Path, keys: Any) -> None:
    for place, folder in enumerate("abcdefgh"):
        add_picture(workspace, f"{folder}/x.png", scenery(place))
    with pytest.raises(UsageError, match=r"are called 'x\.png'; give --keys path"):
        split(workspace, Choices(), tmp_path / "split.json")
    split(workspace, Choices(), tmp_path / "split.json", keys=keys)
    split(workspace, Choices("again", file=tmp_path / "split.json"))
    assert parts_in(workspace, "again") == parts_in(workspace)
    assert len(set(parts_in(workspace).values())) == 2


def test_a_part_is_not_written_twice(workspace: Workspace) -> None:
    (image,) = [add_picture(workspace, "a.png", scenery(1))]
    for part in ("train", "test"):
        with dataset_step(workspace, "split", {}) as step:
            save_parts(workspace, step, "default", [Placed(image, part, "hash")])
    assert parts_in(workspace) == {"a.png": "train"}
