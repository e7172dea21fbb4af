from anomagent.store import Workspace
from anomagent.store.duplicates import Duplicate, read_candidates, save_duplicates
from anomagent.store.selections import write_selections
from anomagent.store.steps import dataset_step
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


def test_groups_are_kept_with_their_step(workspace: Workspace) -> None:
    one, other = (add_picture(workspace, f"{seed}.png", scenery(seed)) for seed in (1, 2))
    rows = [Duplicate(0, one, True, "m", None), Duplicate(0, other, False, "m", 2.0)]
    with dataset_step(workspace, "dedupe", {}) as step:
        save_duplicates(workspace, step, rows)
    with workspace.reading() as connection:
        stored = connection.execute("SELECT * FROM duplicates ORDER BY kept DESC").fetchall()
    assert stored == [(step.id, 0, one, 1, "m", None), (step.id, 0, other, 0, "m", 2.0)]
