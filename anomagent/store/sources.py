"""Where images come from: what a manifest says of each, by the name under which it came. And files that became none."""

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from anomagent.benchmark.boxes import Boxes
from anomagent.store.database import clean, now
from anomagent.store.workspace import Workspace


class Source(NamedTuple):
    """What is known of where an image comes from; None is not known."""

    sha256: str
    name: str
    """What the image is called, as in `image_names`."""
    path: str | None = None
    """Where the file lay, from the root on."""
    prompt: str | None = None
    """What its generator was asked for."""
    source: str | None = None
    """The generator, or the collection that it is from."""
    entry: str | None = None
    """What its manifest calls the entry."""


class LeftOut(NamedTuple):
    """A file that did not become an image."""

    name: str
    reason: str
    """One word, to count by."""
    message: str
    """What is wrong and what to do, in one line."""


def note_sources(connection: sqlite3.Connection, rows: Iterable[Source], step: int | None = None) -> None:
    """Note sources, inside a transaction; `step` is the row of `dataset_steps` that does it, if one does.

    What is said anew about an image and name takes the place of what was said before; what is not said, None, leaves
    it. Where nothing is new nothing is written. The images have to be known. Of an image with several names the source
    and the prompt that were said last count, each by itself: view `image_facts`.
    """
    query = """
        INSERT INTO sources (sha256, name, path, prompt, source, entry, step, created, source_said, prompt_said)
        VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, iif(?5 IS NULL, NULL, ?9), iif(?4 IS NULL, NULL, ?9))
        ON CONFLICT (sha256, name) DO UPDATE SET
            source_said = iif(coalesce(excluded.source, source) IS source, source_said, excluded.source_said),
            prompt_said = iif(coalesce(excluded.prompt, prompt) IS prompt, prompt_said, excluded.prompt_said),
            path = coalesce(excluded.path, path), prompt = coalesce(excluded.prompt, prompt),
            source = coalesce(excluded.source, source), entry = coalesce(excluded.entry, entry),
            step = coalesce(excluded.step, step)
        WHERE coalesce(excluded.path, path) IS NOT path OR coalesce(excluded.prompt, prompt) IS NOT prompt
            OR coalesce(excluded.source, source) IS NOT source OR coalesce(excluded.entry, entry) IS NOT entry
            OR (step IS NULL AND excluded.step IS NOT NULL)
    """
    created = now()
    connection.executemany(query, ([*clean(row), step, created, _said()] for row in rows))


def _said() -> str:
    """This microsecond: no two rows are written in one, so that the last word is known however fast words follow."""
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def known_names(connection: sqlite3.Connection, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """What images are called by now, by content hash and path: a file is one however its path is spelled."""
    query = """
        SELECT sha256, sources.path, min(name) FROM json_each(?) AS place
        CROSS JOIN sources ON sha256 = place.value ->> 0 AND sources.path = place.value ->> 1
        GROUP BY sha256, sources.path
    """
    found = connection.execute(query, (json.dumps(clean(places)),))
    return {(sha256, path): name for sha256, path, name in found}


def read_sources(workspace: Workspace) -> Iterator[Source]:
    """All that is known of where images come from, by content hash and name."""
    query = "SELECT sha256, name, path, prompt, source, entry FROM sources ORDER BY sha256, name"
    with workspace.reading() as connection:
        yield from map(Source._make, connection.execute(query))


def note_boxes(connection: sqlite3.Connection, sha256: str, boxes: Boxes) -> None:
    """Let these be the boxes of an image, inside a transaction; where they are already, nothing is written."""
    query = "SELECT object, x0, y0, x1, y1 FROM object_boxes WHERE sha256 = ?"
    rows = {tuple(clean(box)) for box in boxes}
    if set(connection.execute(query, (sha256,))) != rows:
        connection.execute("DELETE FROM object_boxes WHERE sha256 = ?", (sha256,))
        insert = "INSERT INTO object_boxes (sha256, object, x0, y0, x1, y1) VALUES (?, ?, ?, ?, ?, ?)"
        connection.executemany(insert, ((sha256, *row) for row in sorted(rows)))


def note_left_out(connection: sqlite3.Connection, step: int, files: Iterable[LeftOut]) -> None:
    """Note files that a step left out, inside a transaction."""
    query = "INSERT INTO left_out (step, name, reason, message) VALUES (?, ?, ?, ?)"
    connection.executemany(query, ([step, *clean(file)] for file in files))


def read_left_out(workspace: Workspace, step: int) -> Iterator[LeftOut]:
    """The files that a step left out, in the order in which it came to them."""
    query = "SELECT name, reason, message FROM left_out WHERE step = ? ORDER BY id"
    with workspace.reading() as connection:
        yield from map(LeftOut._make, connection.execute(query, (step,)))
