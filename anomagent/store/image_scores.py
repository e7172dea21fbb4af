"""What was measured about images, once for each score, model and subject."""

import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from anomagent.store.database import clean, now
from anomagent.store.workspace import Workspace

_PAGE = 500


class ImageScore(NamedTuple):
    """One measured value of an image."""

    sha256: str
    score: str
    """What was measured."""
    model: str
    """With what: a hash of all that the value depends on, or a word."""
    subject: str
    """Against what, a prompt for instance; empty where there is nothing."""
    value: float


@dataclass(frozen=True, slots=True)
class ScoredImage:
    """An image with its prompts and what one model says of it."""

    sha256: str
    path: Path
    prompts: tuple[str, ...]
    """Each once, in alphabetical order."""
    scores: dict[tuple[str, str], float]
    """By score and subject."""


def write_scores(workspace: Workspace, rows: Iterable[ImageScore]) -> None:
    """Write scores in one transaction; those that are there already stay as they are."""
    with workspace.writing() as connection:
        insert_scores(connection, rows)


def insert_scores(connection: sqlite3.Connection, rows: Iterable[ImageScore]) -> None:
    """As `write_scores`, inside a transaction."""
    moment = now()
    query = (
        "INSERT OR IGNORE INTO image_scores (sha256, score, model, subject, value, created) VALUES (?, ?, ?, ?, ?, ?)"
    )
    connection.executemany(query, ([*clean(row), moment] for row in rows))


def scored_images(workspace: Workspace, model: str) -> Iterator[ScoredImage]:
    """The images that the ingest has not dropped, by content hash, with the scores of `model`.

    Read page by page, so that scores can be written meanwhile without keeping SQLite from tidying up.
    """
    query = """
        SELECT sha256, path,
            (SELECT json_group_array(prompt) FROM (SELECT DISTINCT prompt FROM sources
                WHERE sha256 = images.sha256 AND prompt IS NOT NULL ORDER BY prompt)),
            (SELECT json_group_array(json_array(score, subject, value)) FROM image_scores
                WHERE sha256 = images.sha256 AND model = :model)
        FROM images
        WHERE sha256 > :last AND coalesce((SELECT kept FROM selections
            WHERE sha256 = images.sha256 AND stage = 'ingest' ORDER BY id DESC LIMIT 1), 1)
        ORDER BY sha256 LIMIT :page
    """
    last = ""
    while True:
        with workspace.reading() as connection:
            rows = connection.execute(query, {"model": model, "last": last, "page": _PAGE}).fetchall()
        for sha256, path, prompts, scores in rows:
            values = {(score, subject): value for score, subject, value in json.loads(scores)}
            yield ScoredImage(sha256, workspace.path / path, tuple(json.loads(prompts)), values)
        if not rows:
            return
        last = rows[-1][0]
