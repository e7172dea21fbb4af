from anomagent.store import Workspace
from anomagent.store.fingerprints import find_unmeasured, read_fingerprints, save_fingerprints
from anomagent.store.selections import write_selections
from anomagent.store.steps import dataset_step
from tests.dataset.near import add_picture, scenery


def test_a_fingerprint_is_measured_once_for_each_method(workspace: Workspace) -> None:
    sha256 = add_picture(workspace, "a.png", scenery(1))
    assert [found for found, path in find_unmeasured(workspace, "m") if path.is_file()] == [sha256]
    save_fingerprints(workspace, "m", [(sha256, b"one")])
    save_fingerprints(workspace, "m", [(sha256, b"two")])
    assert read_fingerprints(workspace, "m") == {sha256: b"one"}
    assert find_unmeasured(workspace, "m") == []
    assert len(find_unmeasured(workspace, "n")) == 1


def test_what_a_filter_dropped_is_not_measured_and_duplicates_are(workspace: Workspace) -> None:
    filtered, duplicate = (add_picture(workspace, f"{seed}.png", scenery(seed)) for seed in (1, 2))
    with dataset_step(workspace, "x", {}) as step:
        write_selections(workspace, step, "filter", [(filtered, False, "dark")])
        write_selections(workspace, step, "dedupe", [(duplicate, False, "near")])
    assert [sha256 for sha256, _ in find_unmeasured(workspace, "m")] == [duplicate]
