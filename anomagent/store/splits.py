"""Splits: on which side each image is. A row is written once and stays, whatever comes to the data set later."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from anomagent.store.database import clean
from anomagent.store.naming import CALLED
from anomagent.store.selections import Overtaken
from anomagent.store.steps import DatasetStep, end_step
from anomagent.store.workspace import Workspace

Because = Literal["hash", "group", "file"]
"""Why an image is where it is: its own hash, the images that it resembles, or an official file."""


@dataclass(frozen=True, slots=True)
class Member:
    """An image of the data set, as a split sees it."""

    sha256: str
    names: tuple[str, ...]
    prompts: tuple[str, ...]
    """What its sources say that it shows; mostly one, none where no source says so."""
    part: str | None
    """Its part of the split that was asked for; None where it has none yet."""
    path: str
    """Where its copy lies, relative to the workspace."""


class Placed(NamedTuple):
    """An image and its part."""

    sha256: str
    part: str
    because: Because


class Standing(NamedTuple):
    """How far a split has come; another one where somebody has placed images since."""

    images: int
    newest_step: int


def read_standing(workspace: Workspace, split: str) -> Standing:
    """How far a split has come."""
    with workspace.reading() as connection:
        return _standing(connection, split)


def read_members(workspace: Workspace, split: str) -> Iterator[Member]:
    """The images of the data set by content hash, with their parts of `split`."""
    return _read(workspace, split, "kept_images", "")


def read_left(workspace: Workspace, split: str) -> Iterator[Member]:
    """The images that have a part of `split`, and were dropped from the data set since."""
    return _read(
        workspace, split, "images", "WHERE part IS NOT NULL AND sha256 NOT IN (SELECT sha256 FROM kept_images)"
    )


def _read(workspace: Workspace, split: str, table: str, where: str) -> Iterator[Member]:
    query = f"""
        WITH {CALLED},
        shown AS (
            SELECT sha256, json_group_array(DISTINCT prompt) AS prompts FROM sources
            WHERE prompt IS NOT NULL GROUP BY sha256)
        SELECT sha256, names, prompts, part, path FROM {table}
        LEFT JOIN called USING (sha256) LEFT JOIN shown USING (sha256)
        LEFT JOIN (SELECT sha256, part FROM splits WHERE split = ?) USING (sha256)
        {where} ORDER BY sha256"""
    with workspace.reading() as connection:
        for sha256, names, prompts, part, path in connection.execute(query, (clean(split),)):
            yield Member(sha256, _texts(names) or (sha256,), _texts(prompts), part, path)


def save_parts(
    workspace: Workspace, step: DatasetStep, split: str, placed: Iterable[Placed], since: Standing | None = None
) -> None:
    """Keep the parts of images, all or none, and the step's result; one that has a part in this split keeps that.

    With `since`, raises `Overtaken` where anybody has placed images in this split after that.
    """
    query = "INSERT OR IGNORE INTO splits (split, sha256, part, because, step) VALUES (?, ?, ?, ?, ?)"
    with workspace.writing() as connection:
        if since is not None and _standing(connection, split) != since:
            raise Overtaken
        connection.executemany(query, ((clean(split), *row, step.id) for row in placed))
        if since is not None:
            end_step(connection, step)


def count_parts(workspace: Workspace) -> dict[str, dict[str, int]]:
    """By split and part, how many images of the data set are in it."""
    query = """
        SELECT split, part, count(*) FROM splits WHERE sha256 IN (SELECT sha256 FROM kept_images)
        GROUP BY split, part ORDER BY split, part"""
    found: dict[str, dict[str, int]] = {}
    with workspace.reading() as connection:
        for split, part, count in connection.execute(query):
            found.setdefault(split, {})[part] = count
    return found


def split_settings(workspace: Workspace, split: str) -> dict[str, Any] | None:
    """What the first step that placed images by hash in this split was told; None where there was none."""
    query = """
        SELECT settings FROM dataset_steps WHERE id IN (
            SELECT min(step) FROM splits WHERE split = ? AND because != 'file')"""
    with workspace.reading() as connection:
        row = connection.execute(query, (clean(split),)).fetchone()
    return json.loads(row[0]) if row else None


def _standing(connection: sqlite3.Connection, split: str) -> Standing:
    query = "SELECT count(*), coalesce(max(step), 0) FROM splits WHERE split = ?"
    return Standing(*connection.execute(query, (clean(split),)).fetchone())


def _texts(array: str | None) -> tuple[str, ...]:
    """The texts of a JSON array, in the order of the alphabet."""
    return tuple(sorted(json.loads(array))) if array else ()
