"""Images enter the workspace here: checked before anything costs money, and kept once, named by content."""

import hashlib
import json
import os
import re
import sqlite3
import stat
import threading
import time
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from anomagent.benchmark.annotations import base_name
from anomagent.errors import UsageError
from anomagent.models.imaging import FORMATS
from anomagent.state.findings import ImageRef
from anomagent.store.database import clean, connect, now, store_errors
from anomagent.store.pictures import Picture, Unfit, examine
from anomagent.store.workspace import Workspace

MOST_BYTES = 200_000_000
"""Larger files are refused without being read."""

_FIRST_ESCAPE = 0xDC00
_NO_TEXT = re.compile("[\udc80-\udcff]")
"""Bytes of a file name that are no UTF-8, as Python writes them into text."""
_NAMELESS = "<image>"
_ABANDONED = 3_600.0
"""Seconds after which nobody is writing an unfinished copy any more."""


@dataclass(frozen=True, slots=True)
class Arrival:
    """An image whose copy lies in the workspace, and which the database is to know."""

    sha256: str
    name: str
    picture: Picture
    bytes: int

    @property
    def path(self) -> Path:
        """Where its copy lies, from the workspace's folder on."""
        return _place(self.sha256, self.picture)


def ingest_image(workspace: Workspace, source: str | Path | bytes, name: str | None = None) -> ImageRef:
    """Check an image, copy its original bytes into the workspace and return the reference to it.

    `name` is what the image is called from now on; by default the path as it is given. Equal bytes are one image, under
    whatever names. Of an animated image the first frame counts. Blocks: decoding takes time.

    Raises `UsageError` where `source` cannot be read or is not an image that can be analysed, `StoreError` where the
    workspace cannot be written.
    """
    label, data = read_image(source, name)
    picture = examine(data, label)
    arrival = Arrival(hashlib.sha256(data).hexdigest(), label, picture, len(data))
    keep_copy(workspace, arrival, data)
    _register(workspace, arrival)
    path = str(workspace.path / arrival.path)
    return ImageRef(sha256=arrival.sha256, path=path, width=picture.width, height=picture.height)


def check_image(source: str | Path) -> str:
    """Check an image as `ingest_image` does, without a workspace, and return its SHA-256. Raises `UsageError`."""
    label, data = read_image(source)
    examine(data, label)
    return hashlib.sha256(data).hexdigest()


class Shelf:
    """Images that an ingest has taken before: what is known of them need not be found out again. For any thread."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._lock = threading.Lock()
        with store_errors(workspace.path):
            self._connection = connect(workspace.database_path)

    def find(self, sha256: str) -> Picture | None:
        """What the image with this content is, without its EXIF data, if an ingest took it and its copy is whole."""
        query = """
            SELECT path, bytes, format, width, height, frames FROM images WHERE sha256 = :sha256
                AND EXISTS (SELECT 1 FROM sources WHERE sha256 = :sha256 AND step IS NOT NULL)
        """
        with store_errors(self._workspace.path), self._lock:
            rows = self._connection.execute(query, {"sha256": sha256}).fetchall()
        for path, size, *facts in rows:
            copy = self._workspace.path / path
            if copy.exists() and copy.stat().st_size == size:
                return Picture(*facts)
        return None

    def close(self) -> None:
        """Close the connection."""
        self._connection.close()


def known_images(connection: sqlite3.Connection, contents: Sequence[str]) -> set[str]:
    """Which of these content hashes are those of images in the workspace."""
    query = "SELECT sha256 FROM images WHERE sha256 IN (SELECT value FROM json_each(?))"
    return {sha256 for (sha256,) in connection.execute(query, (json.dumps(contents),))}


def find_image(workspace: Workspace, sha256: str) -> Path:
    """Where the image with this content lies in the workspace. Raises `UsageError` where it was never ingested."""
    with workspace.reading() as database:
        row = database.execute("SELECT path FROM images WHERE sha256 = ?", (sha256,)).fetchone()
    if row is None:
        raise UsageError(f"no image {sha256} in workspace {workspace.path}; run it first")
    return workspace.path / row[0]


def images_by_name(workspace: Workspace) -> dict[str, Path]:
    """Where images lie, by the base name under which they came; a name of two contents is left out."""
    with workspace.reading() as database:
        rows = database.execute("SELECT name, path FROM image_names JOIN images USING (sha256)").fetchall()
    found: dict[str, set[str]] = {}
    for name, path in rows:
        found.setdefault(base_name(name), set()).add(path)
    return {name: workspace.path / paths.pop() for name, paths in found.items() if len(paths) == 1}


def hash_file(path: Path) -> str | None:
    """The SHA-256 of a regular file's content; None where there is no such file or it cannot be read."""
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            return None
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError):
        return None


def read_image(source: str | Path | bytes, name: str | None = None) -> tuple[str, bytes]:
    """What the image is called, and its bytes. Raises `Unfit` for what cannot be read or is too large."""
    if isinstance(source, bytes):
        label, data = name or _NAMELESS, source
        _refuse_large(label, len(data))
    else:
        label = name or label_of(source)
        data = _read(source, label)
    return clean(label), data


def label_of(source: str | Path) -> str:
    """What the image at a path is called: the path, with a mark and its number for each byte that is no text in it.

    Two files whose names differ in such bytes alone have different names.
    """
    return clean(_NO_TEXT.sub(lambda byte: f"\ufffd{ord(byte[0]) - _FIRST_ESCAPE:02x}", os.fspath(source)))


def keep_copy(workspace: Workspace, arrival: Arrival, data: bytes) -> None:
    """Write the copy, whole or not at all: a reader never sees half of it, not even after a power loss."""
    path = workspace.path / arrival.path
    with store_errors(workspace.path):
        if path.exists() and path.stat().st_size == len(data):
            return
        path.parent.mkdir(parents=True, exist_ok=True)
        unfinished = path.parent / f".{uuid.uuid4().hex}.tmp"
        try:
            with unfinished.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)


def remove_unfinished(workspace: Workspace) -> None:
    """Remove what processes that were killed while they wrote a copy have left; whoever is alive writes faster."""
    with store_errors(workspace.path):
        for file in workspace.images.glob("*/.*.tmp"):
            with suppress(FileNotFoundError):  # finished meanwhile
                if time.time() - file.stat().st_mtime > _ABANDONED:
                    file.unlink()


def register_images(connection: sqlite3.Connection, arrivals: Sequence[Arrival]) -> int:
    """Note images and their names, in a transaction; known ones stay as they are. Returns how many are new."""
    moment = now()
    facts = [
        (one.sha256, one.picture.width, one.picture.height, one.picture.format, one.picture.frames, one.bytes)
        for one in arrivals
    ]
    places = [(arrival.path.as_posix(), moment) for arrival in arrivals]
    images = "(sha256, width, height, format, frames, bytes, path, created) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
    rows = [fact + place for fact, place in zip(facts, places, strict=True)]
    new = connection.executemany(f"INSERT OR IGNORE INTO images {images}", rows).rowcount
    names = [(arrival.sha256, arrival.name, moment) for arrival in arrivals]
    connection.executemany("INSERT OR IGNORE INTO image_names (sha256, name, first_seen) VALUES (?, ?, ?)", names)
    return new


def _read(source: str | Path, label: str) -> bytes:
    """The bytes of a regular file, at most `MOST_BYTES` of them."""
    try:
        about = os.stat(source)
        if stat.S_ISDIR(about.st_mode):
            raise Unfit(f"{label}: is a folder; name the images in it", "unreadable")
        if not stat.S_ISREG(about.st_mode):
            raise Unfit(f"{label}: is not a regular file; give an image file", "unreadable")
        _refuse_large(label, about.st_size)
        with open(source, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise Unfit(f"{label}: no such file; check the path", "missing") from None
    except PermissionError:
        raise Unfit(
            f"{label}: no permission to read it; change its permissions or leave it out", "unreadable"
        ) from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise Unfit(f"{label}: cannot be read ({reason}); check the path", "unreadable") from error
    _refuse_large(label, len(data))
    return data


def _refuse_large(label: str, size: int) -> None:
    if size > MOST_BYTES:
        limit = f"the limit is {MOST_BYTES / 1e6:,.0f} MB; save it smaller or leave it out"
        raise Unfit(f"{label}: {size / 1e6:,.0f} MB, {limit}", "too_large")


def _register(workspace: Workspace, arrival: Arrival) -> None:
    """Note the image and the name. Once both are known there is nothing to write, so a second look takes no lock."""
    query = "SELECT 1 FROM image_names WHERE sha256 = ? AND name = ?"
    with workspace.reading() as connection:
        known = connection.execute(query, (arrival.sha256, arrival.name)).fetchone()
    if not known:
        with workspace.writing() as connection:
            register_images(connection, [arrival])


def _place(sha256: str, picture: Picture) -> Path:
    return Path("images") / sha256[:2] / f"{sha256}.{FORMATS[picture.format]}"
