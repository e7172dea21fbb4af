"""Pictures that look like something, and workspaces that hold them."""

import io
from pathlib import Path

import numpy as np
from PIL import Image

from anomagent.store import Workspace, ingest_image
from anomagent.store.database import now


def scenery(seed: int, side: int = 256) -> Image.Image:
    """A smooth picture of many colours; another one for each seed."""
    coarse = np.random.default_rng(seed).integers(0, 256, (12, 12, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((side, side), Image.Resampling.BICUBIC)


def encoded(picture: Image.Image, format: str = "PNG", **options: int) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, format, **options)
    return buffer.getvalue()


def add_picture(workspace: Workspace, name: str, picture: Image.Image, prompt: str | None = None) -> str:
    """Store a picture under a name, with what a manifest would say; its content's hash."""
    sha256 = ingest_image(workspace, encoded(picture), name)["sha256"]
    with workspace.writing() as connection:
        connection.execute(
            "INSERT OR IGNORE INTO sources (sha256, name, prompt, created) VALUES (?, ?, ?, ?)",
            (sha256, name, prompt, now()),
        )
    return sha256


def lose_file(workspace: Workspace, sha256: str) -> None:
    """Take an image's copy away, as a damaged disk would."""
    with workspace.reading() as connection:
        (path,) = connection.execute("SELECT path FROM images WHERE sha256 = ?", (sha256,)).fetchone()
    Path(workspace.path, path).unlink()
