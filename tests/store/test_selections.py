from __future__ import annotations

import io
import random
import sqlite3

import pytest
from PIL import Image

from anomagent.store import Workspace, ingest_image
from anomagent.store.selections import (
    Selection,
    append_selections,
    count_images,
    count_selections,
    kept_images,
    newest_selections,
    write_selections,
)
from anomagent.store.steps import dataset_step


def add(workspace: Workspace, shade: int, *names: str) -> str:
    data = io.BytesIO()
    Image.new("RGB", (6, 4), (shade, 0, 0)).save(data, "PNG")
    for name in names:
        sha256 = ingest_image(workspace, data.getvalue(), name)["sha256"]
    return sha256


def decide(workspace: Workspace, stage: str, *rows: tuple[str, bool, str | None]) -> int:
    with dataset_step(workspace, stage, {}) as step:
        write_selections(workspace, step, stage, rows)  # type: ignore[arg-type]
    return step.id


def test_images_that_nobody_dropped_are_kept(workspace: Workspace) -> None:
    a, b = add(workspace, 1, "a.png", "copy of a.png"), add(workspace, 2, "b.png")
    found = {image.sha256: image for image in kept_images(workspace)}
    assert list(found) == sorted([a, b])
    assert found[a].names == ("a.png", "copy of a.png")
    assert (found[a].width, found[a].height, found[a].bytes) == (6, 4, found[a].path.stat().st_size)
    assert count_selections(workspace) == {}
    assert count_images(workspace) == (2, 2)


def test_the_newest_decision_of_a_stage_counts(workspace: Workspace) -> None:
    a, b = add(workspace, 1, "a.png"), add(workspace, 2, "b.png")
    decide(workspace, "filter", (a, False, "dull"), (b, True, None))
    assert [image.sha256 for image in kept_images(workspace)] == [b]
    last = decide(workspace, "filter", (a, True, None), (b, False, "dull"))
    assert [image.sha256 for image in kept_images(workspace)] == [a]
    assert count_selections(workspace) == {"filter": (1, 1)}
    with workspace.reading() as connection:
        assert newest_selections(connection, "filter") == {
            a: Selection(a, True, None, last),
            b: Selection(b, False, "dull", last),
        }
        assert newest_selections(connection, "filter", [b]).keys() == {b}
        assert newest_selections(connection, "dedupe") == {}


def test_what_one_stage_drops_no_other_brings_back(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png")
    decide(workspace, "dedupe", (a, False, "near"))
    decide(workspace, "filter", (a, True, None))
    assert list(kept_images(workspace)) == []
    assert count_selections(workspace) == {"filter": (1, 0), "dedupe": (0, 1)}


def test_all_rows_or_none(workspace: Workspace) -> None:
    a = add(workspace, 1, "a.png")
    with pytest.raises(sqlite3.IntegrityError):
        decide(workspace, "filter", (a, False, None), ("no image", False, None))
    assert count_images(workspace) == (1, 1)


def test_the_view_agrees_with_a_plain_replay_of_all_decisions(workspace: Workspace) -> None:
    images = [add(workspace, shade, f"{shade}.png") for shade in range(8)]
    chance, standing = random.Random(3), dict[tuple[str, str], bool]()
    for stage in chance.choices(["ingest", "filter", "dedupe"], k=12):
        rows = [(image, chance.random() < 0.6, None) for image in chance.sample(images, 4)]
        standing |= {(stage, image): kept for image, kept, _ in rows}
        with dataset_step(workspace, stage, {}) as step, workspace.writing() as connection:
            append_selections(connection, step.id, stage, rows)  # type: ignore[arg-type]
    dropped = {image for (_, image), kept in standing.items() if not kept}
    assert {image.sha256 for image in kept_images(workspace)} == set(images) - dropped
