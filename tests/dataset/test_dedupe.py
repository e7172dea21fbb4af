"""Near-duplicates of a workspace: nothing changes until it is told to, and then for good."""

import sys
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from anomagent.dataset import embeddings
from anomagent.dataset.dedupe import Choices, dedupe
from anomagent.dataset.stars import Plan
from anomagent.errors import ConfigurationError, UsageError
from anomagent.store import Workspace
from anomagent.store.duplicates import Duplicate, Standing
from anomagent.store.selections import kept_images, write_selections
from anomagent.store.steps import dataset_step, read_steps
from tests.dataset.near import add_picture, lose_file, scenery

module = sys.modules[dedupe.__module__]


def fill(workspace: Workspace) -> None:
    """big.png and small.png are near-duplicates, other.png is neither's."""
    add_picture(workspace, "small.png", scenery(1).resize((90, 90)))
    add_picture(workspace, "big.png", scenery(1))
    add_picture(workspace, "other.png", scenery(2))


def kept(workspace: Workspace) -> set[str]:
    return {name for image in kept_images(workspace) for name in image.names}


def duplicates(workspace: Workspace) -> list[tuple[object, ...]]:
    with workspace.reading() as connection:
        query = """
            SELECT position, name, kept, method, distance FROM duplicates JOIN image_names USING (sha256)
            ORDER BY step, position, kept DESC"""
        return connection.execute(query).fetchall()


def test_nothing_changes_without_apply(workspace: Workspace) -> None:
    fill(workspace)
    found = dedupe(workspace, Choices(), apply=False)
    (group,) = found.plan.groups
    assert (group.kept.names, group.dropped[0].image.names) == (("big.png",), ("small.png",))
    assert (kept(workspace), read_steps(workspace), duplicates(workspace)) == (
        {"small.png", "big.png", "other.png"}, [], [],
    )  # fmt: skip


def test_apply_drops_and_tells_why(workspace: Workspace) -> None:
    fill(workspace)
    found = dedupe(workspace, Choices(), apply=True)

    assert kept(workspace) == {"big.png", "other.png"}
    distance = found.plan.groups[0].dropped[0].distance
    assert duplicates(workspace) == [
        (0, "big.png", 1, "dct64-1", None), (0, "small.png", 0, "dct64-1", distance),
    ]  # fmt: skip
    (step,) = read_steps(workspace)
    assert (step["step"], step["settings"]["distance"], step["result"]["dropped"]) == ("dedupe", 6, 1)


def test_new_images_turn_nothing_over(workspace: Workspace) -> None:
    fill(workspace)
    dedupe(workspace, Choices(), apply=True)
    add_picture(workspace, "huge.png", scenery(1, 500))

    again = dedupe(workspace, Choices(), apply=True)

    assert kept(workspace) == {"big.png", "other.png"}
    assert again.summary() | {"equal_files": None, "unreadable": None} == {
        "images": 4, "groups": 1, "kept": 2, "dropped": 1, "kept_before_and_dropped": 0, "dropped_before": 1,
        "dropped_before_and_unlike_all": 0, "dropped_before_and_kept": 0, "equal_files": None, "flat": 0,
        "unreadable": None, "applied": True,
    }  # fmt: skip
    dedupe(workspace, Choices(anew=True), apply=True)
    assert kept(workspace) == {"huge.png", "other.png"}


def filter_out(workspace: Workspace, sha256: str) -> None:
    with dataset_step(workspace, "filter", {}) as step:
        write_selections(workspace, step, "filter", [(sha256, False, "dark")])


def test_one_whose_representative_was_filtered_out_comes_back(workspace: Workspace) -> None:
    fill(workspace)
    add_picture(workspace, "tiny.png", scenery(1).resize((64, 64)))
    found = dedupe(workspace, Choices(), apply=True)
    assert kept(workspace) == {"big.png", "other.png"}
    filter_out(workspace, found.plan.groups[0].kept.sha256)

    again = dedupe(workspace, Choices(), apply=True)

    assert kept(workspace) == {"small.png", "other.png"}
    counts = again.summary()
    assert (counts["dropped_before_and_kept"], counts["dropped"], counts["dropped_before"]) == (1, 1, 0)
    assert dedupe(workspace, Choices(), apply=True).summary()["dropped_before"] == 1  # tiny.png, for small.png now
    assert kept(workspace) == {"small.png", "other.png"}


def test_two_at_once_leave_one_of_each(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(workspace)
    apply = module._apply

    def late(*arguments: Any) -> None:
        monkeypatch.setattr(module, "_apply", apply)
        dedupe(workspace, Choices("first", anew=True), apply=True)  # small.png came first and stays
        apply(*arguments)

    monkeypatch.setattr(module, "_apply", late)
    dedupe(workspace, Choices("largest", anew=True), apply=True)

    assert kept(workspace) == {"big.png", "other.png"}
    assert [(step["finished"] is None, step["settings"]["keep"]) for step in read_steps(workspace)] == [
        (False, "first"), (True, "largest"), (False, "largest"),
    ]  # fmt: skip


def test_one_that_is_always_too_late_says_so(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(workspace)
    monkeypatch.setattr(module, "read_standing", lambda _: Standing(7, 7))
    with pytest.raises(UsageError, match="other commands keep deciding meanwhile"):
        dedupe(workspace, Choices(), apply=True)
    assert (len(kept(workspace)), duplicates(workspace)) == (3, [])


def test_killed_in_the_middle_all_is_there_or_nothing(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(workspace)

    def killed(plan: Plan) -> Iterator[Duplicate]:
        yield from rows(plan)
        raise KeyboardInterrupt

    rows = Plan.rows
    monkeypatch.setattr(Plan, "rows", killed)
    with pytest.raises(KeyboardInterrupt):
        dedupe(workspace, Choices(), apply=True)
    assert (len(kept(workspace)), duplicates(workspace)) == (3, [])
    monkeypatch.setattr(Plan, "rows", rows)
    dedupe(workspace, Choices(), apply=True)
    assert (kept(workspace), len(duplicates(workspace))) == ({"big.png", "other.png"}, 2)


def test_equal_files_are_one_image(workspace: Workspace) -> None:
    add_picture(workspace, "a.png", scenery(1))
    add_picture(workspace, "b.png", scenery(1))
    found = dedupe(workspace, Choices(), apply=False)
    assert found.summary()["equal_files"] == {"contents": 1, "names": 2}
    assert (found.plan.images, found.plan.groups, found.plan.kept[0].names) == (1, (), ("a.png", "b.png"))


def test_what_cannot_be_read_stays_and_is_named(workspace: Workspace) -> None:
    fill(workspace)
    lose_file(workspace, add_picture(workspace, "lost.png", scenery(1, 300)))
    add_picture(workspace, "red.png", scenery(1).point(lambda _: 200))
    found = dedupe(workspace, Choices(), apply=True)
    assert (list(found.unreadable), found.flat) == (["lost.png"], 1)
    assert kept(workspace) == {"big.png", "other.png", "lost.png", "red.png"}


def test_the_best_score_stays(workspace: Workspace) -> None:
    fill(workspace)
    choices = Choices("best-score", score="realism")
    with pytest.raises(ConfigurationError, match="no image has a score 'realism'; `anomagent dataset filter`"):
        dedupe(workspace, choices, apply=False)
    with workspace.writing() as connection:
        connection.execute(
            "INSERT INTO image_scores SELECT sha256, 'realism', 'm', '', name = 'small.png', '2026' FROM image_names"
        )
    (group,) = dedupe(workspace, choices, apply=False).plan.groups
    assert group.kept.names == ("small.png",)
    with workspace.writing() as connection:
        connection.execute("INSERT INTO image_scores SELECT sha256, score, 'n', '', 1, '2026' FROM image_scores")
    with pytest.raises(ConfigurationError, match=r"given by several models \(m, n\); choose one with --score-model"):
        dedupe(workspace, choices, apply=False)
    with pytest.raises(ConfigurationError, match="no image has a score 'realism' by model 'o'; there are m, n"):
        dedupe(workspace, replace(choices, score_model="o"), apply=False)
    for model, stays in (("m", "small.png"), ("n", "big.png")):  # to n all are equal: the larger one stays
        (group,) = dedupe(workspace, replace(choices, score_model=model), apply=False).plan.groups
        assert group.kept.names == (stays,)


class Thumbnails:
    """Instead of CLIP: 6 x 6 pixels in grey, less their mean, as unit vectors."""

    def __init__(self, name: str) -> None:
        self.identity = f"{name}@1"

    def prepare(self, picture: Image.Image) -> NDArray[np.float32]:
        pixels = np.asarray(picture.convert("L").resize((6, 6), Image.Resampling.BOX), dtype=np.float32)
        return (pixels - pixels.mean()).ravel()

    def embed_images(self, prepared: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        vectors = np.stack(prepared)
        return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def test_embeddings_are_measured_once_and_compared(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embeddings, "Clip", Thumbnails)
    add_picture(workspace, "big.png", scenery(1))
    add_picture(workspace, "other.png", scenery(2))
    # The left eighth is cut off: another fingerprint, but much the same thumbnail.
    add_picture(workspace, "cut.png", scenery(1).crop((8, 0, 256, 250)))
    lose_file(workspace, add_picture(workspace, "lost.png", scenery(3)))
    told: list[tuple[int, int]] = []
    choices = Choices(distance=0, embedding="thumbnails", similarity=0.9)

    found = dedupe(workspace, choices, False, lambda *numbers: told.append(numbers))
    again = dedupe(workspace, choices, False, lambda *numbers: told.append(numbers))

    assert told == [(4, 4), (4, 4), (1, 1), (1, 1)]  # fingerprints and embeddings; then only of what is lost
    assert found == again
    assert list(found.unreadable) == ["lost.png"]
    (group,) = found.plan.groups
    assert (group.kept.names, group.dropped[0].image.names) == (("big.png",), ("cut.png",))
    assert group.dropped[0].method == "clip:thumbnails@1"
    assert 0 < group.dropped[0].distance <= 0.1
