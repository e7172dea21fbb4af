"""What duplicates are sought among, and the groups that were found."""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from anomagent.errors import ConfigurationError
from anomagent.store.naming import CALLED
from anomagent.store.selections import newest_selections
from anomagent.store.steps import DatasetStep
from anomagent.store.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Candidate:
    """An image that may be a duplicate of another one: no step but that for duplicates has dropped it."""

    sha256: str
    names: tuple[str, ...]
    """In the order of the alphabet; equal files have several."""
    pixels: int
    bytes: int
    created: str
    """When it entered the workspace."""
    kept_before: bool | None
    """What was decided about it before; None: nothing."""
    score: float | None = None
    """Its score, where one was asked for and it has one; more is better."""


class Duplicate(NamedTuple):
    """A member of a group of duplicates, as it is stored."""

    position: int
    """The group's number, from 0."""
    sha256: str
    kept: bool
    method: str
    distance: float | None
    """To the one that stays; None for that one."""


def read_candidates(workspace: Workspace, score: str | None = None) -> Iterator[Candidate]:
    """The images among which duplicates are sought, by content hash; with `score`, an image's best value of it."""
    query = f"""
        WITH {CALLED}, best AS (SELECT sha256, max(value) AS value FROM image_scores WHERE score = ? GROUP BY sha256)
        SELECT sha256, names, width * height, bytes, created, value
        FROM images LEFT JOIN called USING (sha256) LEFT JOIN best USING (sha256)
        WHERE sha256 NOT IN (SELECT sha256 FROM dropped_images WHERE stage != 'dedupe') ORDER BY sha256"""
    with workspace.reading() as connection:
        before = newest_selections(connection, "dedupe")
        for sha256, names, pixels, size, created, value in connection.execute(query, (score,)):
            decided = before.get(sha256)
            called = tuple(sorted(json.loads(names or "[]"))) or (sha256,)
            kept = decided.kept if decided else None
            yield Candidate(sha256, called, pixels, size, created, kept, value)


def check_score(workspace: Workspace, score: str) -> None:
    """Raises `ConfigurationError` where no image has this score, or several models gave it: those do not compare."""
    with workspace.reading() as connection:
        known = [name for (name,) in connection.execute("SELECT DISTINCT score FROM image_scores ORDER BY score")]
        query = "SELECT DISTINCT model FROM image_scores WHERE score = ? ORDER BY model"
        models = [model for (model,) in connection.execute(query, (score,))]
    if not models:
        there = f"there are {', '.join(known)}" if known else "`anomagent dataset filter` measures scores"
        raise ConfigurationError(f"no image has a score {score!r}; {there}")
    if len(models) > 1:
        raise ConfigurationError(
            f"score {score!r} was given by several models ({', '.join(models)}); choose --keep largest"
        )


def save_duplicates(workspace: Workspace, step: DatasetStep, rows: Iterable[Duplicate]) -> None:
    """Keep the groups that `step` found. All rows or none are written."""
    query = "INSERT INTO duplicates (step, position, sha256, kept, method, distance) VALUES (?, ?, ?, ?, ?, ?)"
    with workspace.writing() as connection:
        connection.executemany(query, ((step.id, *row) for row in rows))
