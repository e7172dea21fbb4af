from contextlib import suppress

import pytest

from anomagent.store import Workspace
from anomagent.store.duplicates import Duplicate, read_candidates, read_stand_ins, read_standing, save_duplicates
from anomagent.store.selections import Overtaken, count_images, write_selections
from anomagent.store.splits import Placed, save_parts
from anomagent.store.steps import DatasetStep, dataset_step, read_steps
from tests.dataset.near import add_picture, scenery


def test_candidates_with_what_was_decided_about_them(workspace: Workspace) -> None:
    kept, dropped, new, filtered = (add_picture(workspace, f"{seed}.png", scenery(seed, 8)) for seed in range(4))
    with dataset_step(workspace, "x", {}) as step:
        write_selections(workspace, step, "filter", [(filtered, False, "dark"), (new, True, None)])
        write_selections(workspace, step, "dedupe", [(kept, False, "near"), (dropped, False, "near")])
        write_selections(workspace, step, "dedupe", [(kept, True, None)])
    with workspace.writing() as connection:
        query = "INSERT INTO image_scores VALUES (?, 'realism', 'm', ?, ?, '2026')"
        connection.executemany(query, [(new, "a", 0.25), (new, "b", 0.75)])

    found = {one.sha256: one for one in read_candidates(workspace, "realism")}

    assert {sha256: one.kept_before for sha256, one in found.items()} == {kept: True, dropped: False, new: None}
    assert (found[new].names, found[new].pixels, found[new].score) == (("2.png",), 64, 0.75)
    assert found[kept].score is None
    assert next(read_candidates(workspace)).score is None


def begin_step(workspace: Workspace) -> DatasetStep:
    """A step that is broken off before it ends."""
    with suppress(KeyboardInterrupt), dataset_step(workspace, "dedupe", {}) as step:
        raise KeyboardInterrupt
    return step


def test_decisions_and_groups_are_kept_with_their_step_and_its_result(workspace: Workspace) -> None:
    one, other = (add_picture(workspace, f"{seed}.png", scenery(seed)) for seed in (1, 2))
    rows = [Duplicate(0, one, True, "m", None), Duplicate(0, other, False, "m", 2.0)]
    decisions = [(one, True, None), (other, False, "near")]
    since = read_standing(workspace)
    step = begin_step(workspace)
    step.result = {"dropped": 1}
    save_duplicates(workspace, step, decisions, rows, since)  # and then it is killed
    assert [(entry["result"], entry["finished"] is None) for entry in read_steps(workspace)] == [
        ({"dropped": 1}, False)
    ]
    with workspace.reading() as connection:
        stored = connection.execute("SELECT * FROM duplicates ORDER BY kept DESC").fetchall()
    assert stored == [(step.id, 0, one, 1, "m", None), (step.id, 0, other, 0, "m", 2.0)]
    assert {one.sha256: one.went_for for one in read_candidates(workspace)} == {one: None, other: one}
    assert read_stand_ins(workspace) == {one: [other]}


def test_nothing_is_decided_on_what_no_longer_holds(workspace: Workspace) -> None:
    image = add_picture(workspace, "a.png", scenery(1))
    since = read_standing(workspace)
    with dataset_step(workspace, "x", {}) as step:
        write_selections(workspace, step, "filter", [(image, True, None)])
    with pytest.raises(Overtaken), dataset_step(workspace, "dedupe", {}) as step:
        save_duplicates(workspace, step, [(image, False, "near")], [], since)
    since = read_standing(workspace)
    with dataset_step(workspace, "split", {}) as step:
        save_parts(workspace, step, "x", [Placed(image, "train", "hash")])
    assert next(read_candidates(workspace)).has_part
    with pytest.raises(Overtaken), dataset_step(workspace, "dedupe", {}) as step:
        save_duplicates(workspace, step, [(image, False, "near")], [], since)
    assert count_images(workspace) == (1, 1)
