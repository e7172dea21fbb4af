"""Which images a data set keeps: what each step decided about them, appended; the newest row of an image counts."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from anomagent.store.database import clean, select
from anomagent.store.steps import DatasetStep
from anomagent.store.workspace import Workspace

Stage = Literal["ingest", "filter", "dedupe"]
"""The steps that decide which images stay; an image that one of them drops is out."""

STAGES: Final[tuple[Stage, ...]] = ("ingest", "filter", "dedupe")


class Overtaken(Exception):
    """What was worked out no longer holds: another process decided something meanwhile. Nothing was written."""


@dataclass(frozen=True, slots=True)
class KeptImage:
    """An image that no step has dropped."""

    sha256: str
    path: Path
    """Where its copy lies in the workspace."""
    width: int
    """Pixels, upright."""
    height: int
    bytes: int
    created: str
    """When it entered the workspace, UTC."""
    names: tuple[str, ...]
    """What it is called, the oldest name first."""


@dataclass(frozen=True, slots=True)
class Selection:
    """What a stage decided about an image."""

    sha256: str
    kept: bool
    reason: str | None
    step: int
    """The row of `dataset_steps` that decided."""


def write_selections(
    workspace: Workspace, step: DatasetStep, stage: Stage, rows: Iterable[tuple[str, bool, str | None]]
) -> None:
    """Append what `step` decides: content hash, whether the image is kept, and why. All rows or none are written.

    The database is locked while `rows` are taken, so work them out before. Older decisions of the stage stay, and no
    longer count for these images.
    """
    with workspace.writing() as connection:
        append_selections(connection, step.id, stage, rows)


def append_selections(
    connection: sqlite3.Connection, step: int, stage: Stage, rows: Iterable[tuple[str, bool, str | None]]
) -> None:
    """As `write_selections`, inside a transaction; `step` is the step's row."""
    query = "INSERT INTO selections (step, stage, sha256, kept, reason) VALUES (?, ?, ?, ?, ?)"
    values = ((step, stage, sha256, int(kept), clean(reason)) for sha256, kept, reason in rows)
    connection.executemany(query, values)


def write_changes(
    workspace: Workspace, step: DatasetStep, stage: Stage, rows: Iterable[tuple[str, bool, str | None]]
) -> int:
    """As `write_selections`, of the rows that say something else than what counts now; how many they are."""
    with workspace.writing() as connection:
        standing = newest_selections(connection, stage)
        said = {sha256: (one.kept, one.reason) for sha256, one in standing.items()}
        changed = [row for row in rows if said.get(row[0]) != (row[1], clean(row[2]))]
        append_selections(connection, step.id, stage, changed)
    return len(changed)


def kept_images(workspace: Workspace) -> Iterator[KeptImage]:
    """The images of the data set by content hash, as they are at the moment the first one is taken."""
    query = """
        SELECT sha256, path, width, height, bytes, created,
               (SELECT json_group_array(name) FROM
                    (SELECT name FROM image_names WHERE sha256 = kept_images.sha256 ORDER BY first_seen, name))
        FROM kept_images ORDER BY sha256
    """
    with workspace.reading() as connection:
        for sha256, path, width, height, size, created, names in connection.execute(query):
            yield KeptImage(sha256, workspace.path / path, width, height, size, created, tuple(json.loads(names)))


def count_images(workspace: Workspace) -> tuple[int, int]:
    """How many images the workspace has, and how many of them no step has dropped."""
    with workspace.reading() as connection:
        (images,) = connection.execute("SELECT count(*) FROM images").fetchone()
        (kept,) = connection.execute("SELECT count(*) FROM kept_images").fetchone()
    return images, kept


def count_selections(workspace: Workspace) -> dict[Stage, tuple[int, int]]:
    """By stage, how many images its newest decisions keep and how many they drop; stages never run are left out."""
    query = """
        SELECT stage, sum(kept), sum(NOT kept) FROM selections
        WHERE id IN (SELECT max(id) FROM selections GROUP BY sha256, stage) GROUP BY stage
    """
    with workspace.reading() as connection:
        found: dict[Any, tuple[int, int]] = {stage: (kept, out) for stage, kept, out in connection.execute(query)}
    return {stage: found[stage] for stage in STAGES if stage in found}


def newest_selections(
    connection: sqlite3.Connection, stage: Stage, images: Sequence[str] | None = None
) -> dict[str, Selection]:
    """The decision of `stage` that counts, by content hash, of every image that it looked at; or only of `images`."""
    among = "" if images is None else "AND sha256 IN (SELECT value FROM json_each(?))"
    query = f"""
        SELECT sha256, kept, reason, step FROM selections
        WHERE id IN (SELECT max(id) FROM selections WHERE stage = ? {among} GROUP BY sha256)
    """
    rows = select(connection, query, [stage, *([] if images is None else [json.dumps(images)])])
    return {row["sha256"]: Selection(row["sha256"], bool(row["kept"]), row["reason"], row["step"]) for row in rows}
