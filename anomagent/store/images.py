"""Images enter the workspace here: checked before anything costs money, and kept once, named by content."""

import hashlib
import os
import stat
import uuid
from pathlib import Path

from anomagent.benchmark.annotations import base_name
from anomagent.errors import UsageError
from anomagent.models.imaging import FORMATS
from anomagent.state.findings import ImageRef
from anomagent.store.database import clean, insert_rows, now, store_errors
from anomagent.store.pictures import Picture, examine
from anomagent.store.workspace import Workspace

MOST_BYTES = 200_000_000
"""Larger files are refused without being read."""

_NAMELESS = "<image>"


def ingest_image(workspace: Workspace, source: str | Path | bytes, name: str | None = None) -> ImageRef:
    """Check an image, copy its original bytes into the workspace and return the reference to it.

    `name` is what the image is called from now on; by default the path as it is given. Equal bytes are one image, under
    whatever names. Of an animated image the first frame counts. Blocks: decoding takes time.

    Raises `UsageError` where `source` cannot be read or is not an image that can be analysed, `StoreError` where the
    workspace cannot be written.
    """
    label, data = _load(source, name)
    picture = examine(data, label)
    sha256 = hashlib.sha256(data).hexdigest()
    path = Path("images") / sha256[:2] / f"{sha256}.{FORMATS[picture.format]}"
    _keep(workspace, workspace.path / path, data)
    _register(workspace, sha256, label, path, picture, len(data))
    return ImageRef(sha256=sha256, path=str(workspace.path / path), width=picture.width, height=picture.height)


def check_image(source: str | Path) -> str:
    """Check an image as `ingest_image` does, without a workspace, and return its SHA-256. Raises `UsageError`."""
    label, data = _load(source, None)
    examine(data, label)
    return hashlib.sha256(data).hexdigest()


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


def _load(source: str | Path | bytes, name: str | None) -> tuple[str, bytes]:
    """What the image is called, and its bytes."""
    if isinstance(source, bytes):
        label, data = name or _NAMELESS, source
        _refuse_large(label, len(data))
    else:
        label = name or clean(os.fspath(source).encode("utf-8", "surrogateescape").decode("utf-8", "replace"))
        data = _read(source, label)
    return clean(label), data


def _read(source: str | Path, label: str) -> bytes:
    """The bytes of a regular file, at most `MOST_BYTES` of them."""
    try:
        about = os.stat(source)
        if stat.S_ISDIR(about.st_mode):
            raise UsageError(f"{label}: is a folder; name the images in it")
        if not stat.S_ISREG(about.st_mode):
            raise UsageError(f"{label}: is not a regular file; give an image file")
        _refuse_large(label, about.st_size)
        with open(source, "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except FileNotFoundError:
        raise UsageError(f"{label}: no such file; check the path") from None
    except PermissionError:
        raise UsageError(f"{label}: no permission to read it; change its permissions or leave it out") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UsageError(f"{label}: cannot be read ({reason}); check the path") from error
    _refuse_large(label, len(data))
    return data


def _refuse_large(label: str, size: int) -> None:
    if size > MOST_BYTES:
        raise UsageError(
            f"{label}: {size / 1e6:,.0f} MB, the limit is {MOST_BYTES / 1e6:,.0f} MB; save it smaller or leave it out"
        )


def _keep(workspace: Workspace, path: Path, data: bytes) -> None:
    """Write the copy, whole or not at all: a reader never sees half of it, not even after a power loss."""
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


def _register(workspace: Workspace, sha256: str, name: str, path: Path, picture: Picture, size: int) -> None:
    """Note the image and the name. Once both are known there is nothing to write, so a second look takes no lock."""
    with workspace.reading() as connection:
        known = connection.execute("SELECT 1 FROM image_names WHERE sha256 = ? AND name = ?", (sha256, name)).fetchone()
    if known:
        return
    moment = now()
    image = {
        "sha256": sha256,
        "width": picture.width,
        "height": picture.height,
        "format": picture.format,
        "frames": picture.frames,
        "bytes": size,
        "path": path.as_posix(),
        "created": moment,
    }
    with workspace.writing() as connection:
        insert_rows(connection, "images", [image], ignore=True)
        seen = {"sha256": sha256, "name": name, "first_seen": moment}
        insert_rows(connection, "image_names", [seen], ignore=True)
