"""What is kept, and what is still undone about it."""

import pytest

from anomagent.errors import UsageError
from anomagent.state.reviews import Answer, Capacity, Verdict, Withdrawn
from anomagent.store import Workspace
from anomagent.store.candidates import read_candidates
from anomagent.store.kept import Analysed, Named, Undecided, called_copy, count_analysed, count_undecided, read_kept
from anomagent.store.reviews import append_answers
from anomagent.store.selections import write_selections
from anomagent.store.sources import Source
from anomagent.store.sources import note_sources as note
from anomagent.store.steps import dataset_step
from tests.store.test_analyses import ready
from tests.store.test_candidates import add


def answer(workspace: Workspace, candidate: int, *said: tuple[str, Verdict | Withdrawn, Capacity]) -> None:
    rows = [
        Answer(id=f"answer-{candidate}-{place}", anomaly=candidate, annotator=who, verdict=verdict, capacity=capacity)
        for place, (who, verdict, capacity) in enumerate(said)
    ]
    append_answers(workspace, rows)


def drop(workspace: Workspace, sha256: str) -> None:
    with dataset_step(workspace, "dedupe", {}) as step:
        write_selections(workspace, step, "dedupe", [(sha256, False, "near")])


def test_undecided_are_the_candidates_of_the_review_without_accept_or_reject(workspace: Workspace) -> None:
    add(workspace, 1, "a.png", "old")
    add(workspace, 1, "other/a.png", "one", "two", "three", "four")
    _, dropped = add(workspace, 2, "b.png", "five")
    assert count_undecided(workspace) == Undecided(5, 0, 2)
    drop(workspace, dropped)
    ids = list(read_candidates(workspace).ids)
    assert count_undecided(workspace) == Undecided(len(ids), 0, 1) == Undecided(4, 0, 1)
    answer(workspace, ids[0], ("ada", "ACCEPT", "annotator"))
    answer(workspace, ids[1], ("ada", "ACCEPT", "annotator"), ("ben", "REJECT", "annotator"))
    answer(workspace, ids[2], ("ada", "UNSURE", "annotator"))
    answer(workspace, ids[3], ("ada", "REJECT", "annotator"), ("ada", "WITHDRAWN", "annotator"))
    assert count_undecided(workspace) == Undecided(3, 2, 1)
    append_answers(
        workspace,
        [
            Answer(id=f"last-word-{row}", anomaly=row, annotator="eve", verdict="REJECT", capacity="adjudicator")
            for row in ids[1:]
        ],
    )
    assert count_undecided(workspace) == Undecided(0, 0, 0)


def test_nothing_analysed_is_no_finished_review(workspace: Workspace) -> None:
    with pytest.raises(UsageError, match="no image is analysed yet"):
        count_undecided(workspace)


def test_an_image_counts_as_analysed_by_what_came_of_it(workspace: Workspace) -> None:
    ready(workspace, 1, "waits.png")
    add(workspace, 2, "failed.png", status="failed")
    add(workspace, 3, "fine.png")
    _, dropped = add(workspace, 4, "out.png")
    drop(workspace, dropped)
    assert count_analysed(workspace) == Analysed(images=3, ended=2, with_result=1)


def test_each_image_comes_with_the_names_of_its_sources_or_else_of_its_analyses(workspace: Workspace) -> None:
    _, one = ready(workspace, 1, "analysed.png")
    ready(workspace, 2, "b.png")
    _, dropped = ready(workspace, 3, "c.png")
    with workspace.writing() as connection:
        note(connection, [Source(one, "raw/a.png", "/data/raw/a.png", "a cat", "flux", "7")])
    drop(workspace, dropped)
    found = {names[0].name: names for names in read_kept(workspace)}
    assert found.keys() == {"raw/a.png", "b.png"}
    (first,) = found["raw/a.png"]
    assert (first.sha256, first.path, first.prompt, first.source, first.entry) == (
        one,
        "/data/raw/a.png",
        "a cat",
        "flux",
        "7",
    )
    assert first.copy.stat().st_size == first.bytes
    assert [one.path for one in found["b.png"]] == [None]


@pytest.mark.parametrize(
    ("name", "base"), [("raw/a cat.png", "a cat.png"), ("C:\\x\\b.png", "b.png"), ("é.png", "é.png")]
)
def test_a_copy_has_the_base_name_of_its_file(workspace: Workspace, name: str, base: str) -> None:
    ready(workspace, 1, name)
    ((one,),) = read_kept(workspace)
    called = called_copy(workspace, one)
    assert (called.name, called.read_bytes()) == (base, one.copy.read_bytes())
    called.write_bytes(b"half")  # of a link this is the copy itself; of a file that was broken off, only that
    one.copy.write_bytes(b"x" * one.bytes)
    assert called_copy(workspace, one).read_bytes() == one.copy.read_bytes()


@pytest.mark.parametrize("name", [None, "..", "a/..", ". .", "x" * 300, "a\nb.png", "\udcff.png"])
def test_a_name_that_no_file_should_have_gives_the_copy_itself(workspace: Workspace, name: str | None) -> None:
    _, sha256 = ready(workspace, 1, "a.png")
    one = Named(sha256, workspace.path / "images" / "x.png", 5, name, None, None, None, None)
    assert called_copy(workspace, one) == one.copy
    assert not (workspace.path / "named").exists()
