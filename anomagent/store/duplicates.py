"""What duplicates are sought among, and the groups that were found."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from anomagent.errors import ConfigurationError
from anomagent.store.naming import CALLED
from anomagent.store.selections import Overtaken, append_selections, newest_selections
from anomagent.store.steps import DatasetStep, end_step
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
    has_part: bool = False
    """Whether it is in a part of any split."""
    went_for: str | None = None
    """Of one that was dropped: the content hash of the image that stayed for it then, where that is known."""


class Duplicate(NamedTuple):
    """A member of a group of duplicates, as it is stored."""

    position: int
    """The group's number, from 0."""
    sha256: str
    kept: bool
    method: str
    distance: float | None
    """To the one that stays; None for that one."""


class Standing(NamedTuple):
    """How far decisions have come; another one where somebody has decided something since."""

    selections: int
    parts: int


def read_standing(workspace: Workspace) -> Standing:
    """How far decisions about images and their parts have come."""
    with workspace.reading() as connection:
        return _standing(connection)


def read_candidates(workspace: Workspace, score: str | None = None, model: str | None = None) -> Iterator[Candidate]:
    """The images among which duplicates are sought, by content hash.

    With `score`, an image's best value of it, by `model` or, without that, by any.
    """
    query = f"""
        WITH {CALLED},
        best AS (
            SELECT sha256, max(value) AS value FROM image_scores
            WHERE score = :score AND model = coalesce(:model, model) GROUP BY sha256)
        SELECT sha256, names, width * height, bytes, created, value, sha256 IN (SELECT sha256 FROM splits)
        FROM images LEFT JOIN called USING (sha256) LEFT JOIN best USING (sha256)
        WHERE sha256 NOT IN (SELECT sha256 FROM dropped_images WHERE stage != 'dedupe') ORDER BY sha256"""
    with workspace.reading() as connection:
        before = newest_selections(connection, "dedupe")
        went = _representatives(connection)
        rows = connection.execute(query, {"score": score, "model": model})
        for sha256, names, pixels, size, created, value, has_part in rows:
            decided = before.get(sha256)
            called = tuple(sorted(json.loads(names or "[]"))) or (sha256,)
            kept = decided.kept if decided else None
            stood = went.get(sha256) if kept is False else None
            yield Candidate(sha256, called, pixels, size, created, kept, value, bool(has_part), stood)


def read_stand_ins(workspace: Workspace) -> dict[str, list[str]]:
    """Of each image that others were dropped for: those that `dedupe` still leaves out."""
    query = """
        SELECT sha256 FROM dropped_images
        WHERE stage = 'dedupe' AND sha256 NOT IN (SELECT sha256 FROM dropped_images WHERE stage = 'ingest')"""
    with workspace.reading() as connection:
        went = _representatives(connection)
        found: dict[str, list[str]] = {}
        for (sha256,) in connection.execute(query):
            if sha256 in went:
                found.setdefault(went[sha256], []).append(sha256)
    return found


def check_score(workspace: Workspace, score: str, model: str | None = None) -> None:
    """Raises `ConfigurationError` where no image has this score, or not by `model`.

    Also where none is said and several models gave it: their values do not compare.
    """
    with workspace.reading() as connection:
        known = [name for (name,) in connection.execute("SELECT DISTINCT score FROM image_scores ORDER BY score")]
        query = "SELECT DISTINCT model FROM image_scores WHERE score = ? ORDER BY model"
        models = [model for (model,) in connection.execute(query, (score,))]
    if not models:
        there = f"there are {', '.join(known)}" if known else "`anomagent dataset filter` measures scores"
        raise ConfigurationError(f"no image has a score {score!r}; {there}")
    if model is not None and model not in models:
        raise ConfigurationError(f"no image has a score {score!r} by model {model!r}; there are {', '.join(models)}")
    if model is None and len(models) > 1:
        raise ConfigurationError(
            f"score {score!r} was given by several models ({', '.join(models)}); choose one with --score-model"
        )


def save_duplicates(
    workspace: Workspace,
    step: DatasetStep,
    decisions: Iterable[tuple[str, bool, str | None]],
    rows: Iterable[Duplicate],
    since: Standing,
) -> None:
    """Decide as `step` found, as rows of `write_selections`, and keep its groups and its result: all or nothing.

    Raises `Overtaken` where anything was decided after `since`.
    """
    query = "INSERT INTO duplicates (step, position, sha256, kept, method, distance) VALUES (?, ?, ?, ?, ?, ?)"
    with workspace.writing() as connection:
        if _standing(connection) != since:
            raise Overtaken
        append_selections(connection, step.id, "dedupe", decisions)
        connection.executemany(query, ((step.id, *row) for row in rows))
        end_step(connection, step)


def _standing(connection: sqlite3.Connection) -> Standing:
    query = "SELECT (SELECT coalesce(max(id), 0) FROM selections), (SELECT count(*) FROM splits)"
    return Standing(*connection.execute(query).fetchone())


def _representatives(connection: sqlite3.Connection) -> dict[str, str]:
    """Of each image that was dropped, the one that stayed for it the last time."""
    query = """
        SELECT gone.sha256, stays.sha256, max(step) FROM duplicates gone
        JOIN duplicates stays USING (step, position) WHERE stays.kept AND NOT gone.kept GROUP BY gone.sha256"""
    return {gone: stays for gone, stays, _ in connection.execute(query)}
