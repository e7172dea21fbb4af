from __future__ import annotations

import sqlite3

from anomagent.benchmark.boxes import ObjectBox
from anomagent.store import Workspace
from anomagent.store.sources import (
    LeftOut,
    Source,
    known_names,
    note_boxes,
    note_left_out,
    note_sources,
    read_left_out,
    read_sources,
)
from anomagent.store.steps import dataset_step
from tests.store.test_selections import add


def changes(workspace: Workspace, *rows: Source, step: int | None = None) -> int:
    """How many rows noting them writes."""
    with workspace.writing() as connection:
        before = connection.total_changes
        note_sources(connection, rows, step)
        return connection.total_changes - before


def boxes(connection: sqlite3.Connection) -> list[tuple[object, ...]]:
    return connection.execute("SELECT object, x0, y0, x1, y1 FROM object_boxes ORDER BY object").fetchall()


def test_what_is_said_anew_counts_and_silence_changes_nothing(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png")
    first = Source(a, "a.png", "/in/a.png", "A cat", "flux", "7")
    assert changes(workspace, first) == 1
    assert changes(workspace, first) == 0
    assert changes(workspace, Source(a, "a.png")) == 0
    assert changes(workspace, Source(a, "a.png", prompt="Two cats")) == 1
    assert list(read_sources(workspace)) == [first._replace(prompt="Two cats")]


def test_a_step_takes_over_what_had_none(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png")
    changes(workspace, Source(a, "a.png"))
    with dataset_step(workspace, "ingest", {}) as step:
        assert changes(workspace, Source(a, "a.png"), step=step.id) == 1
    with dataset_step(workspace, "ingest", {}) as later:
        assert changes(workspace, Source(a, "a.png"), step=later.id) == 0


def test_two_names_of_an_image_have_sources_of_their_own(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png", "b.png")
    changes(workspace, Source(a, "a.png", prompt="A"), Source(a, "b.png", prompt="B"))
    assert [(source.name, source.prompt) for source in read_sources(workspace)] == [("a.png", "A"), ("b.png", "B")]


def facts(workspace: Workspace) -> list[tuple[str | None, str | None]]:
    with workspace.reading() as connection:
        return connection.execute("SELECT source, prompt FROM image_facts ORDER BY sha256").fetchall()


def test_the_last_word_about_an_image_counts_for_source_and_prompt_alike(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png", "b.png")
    assert facts(workspace) == [(None, None)]
    changes(workspace, Source(a, "b.png", prompt="one", source="flux"))
    changes(workspace, Source(a, "a.png", prompt="two"))
    assert facts(workspace) == [("flux", "two")], "silence is no word"
    changes(workspace, Source(a, "b.png", source="sora"))
    assert facts(workspace) == [("sora", "two")], "of b.png only the source was said anew"
    changes(workspace, Source(a, "b.png", prompt="one"))
    assert facts(workspace) == [("sora", "two")], "nothing was said anew"
    changes(workspace, Source(a, "a.png", source="kling"), Source(a, "b.png", source="veo"))
    assert facts(workspace) == [("veo", "two")], "at once: the last row"


def test_a_file_is_known_by_content_and_path(workspace: Workspace) -> None:
    a, b = add(workspace, 1, "a.png"), add(workspace, 2, "b.png")
    changes(workspace, Source(a, "./a.png", "/in/a.png"))
    with workspace.reading() as connection:
        asked = [(a, "/in/a.png"), (b, "/in/a.png"), (a, "/in/b.png")]
        assert known_names(connection, asked) == {(a, "/in/a.png"): "./a.png"}


def test_boxes_are_replaced_as_a_whole(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png")
    cup, cat = ObjectBox("cup", 0, 0, 2, 2), ObjectBox("cat", 1, 1, 3.5, 4)
    with workspace.writing() as connection:
        note_boxes(connection, a, (cup, cat))
        assert boxes(connection) == [cat, cup]
        before = connection.total_changes
        note_boxes(connection, a, (cat, cup))
        assert connection.total_changes == before
        note_boxes(connection, a, (cat,))
        assert boxes(connection) == [cat]


def test_files_left_out_are_read_by_step_in_order(workspace: Workspace) -> None:
    files = [LeftOut("b.png", "damaged", "cut off"), LeftOut("a\ud800.png", "missing", "no such file")]
    with dataset_step(workspace, "ingest", {}) as step, workspace.writing() as connection:
        note_left_out(connection, step.id, files)
    assert list(read_left_out(workspace, step.id)) == [files[0], files[1]._replace(name="a?.png")]
    assert list(read_left_out(workspace, step.id + 1)) == []
