"""Images as browsers can show them, by content hash and from the workspace alone."""

import hashlib
import re
from io import BytesIO
from pathlib import Path
from typing import Final, NamedTuple

from PIL import Image, ImageFile

from anomagent.errors import UsageError
from anomagent.models.imaging import load_rgb, open_image, orientation_of
from anomagent.store.images import MOST_BYTES, find_image
from anomagent.store.pictures import MOST_PIXELS
from anomagent.store.workspace import Workspace

MOST_SHOWN: Final = 16_000_000
"""Pixels; larger images are scaled down to this many, for telephones show no more."""

_SHA256 = re.compile(r"[0-9a-f]{64}")
_AS_IS: Final = {
    "PNG": "image/png",
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_BROWSER_MODES: Final = frozenset({"1", "L", "P", "RGB"})


class Shown(NamedTuple):
    """An image for a browser."""

    mime: str
    content: bytes


def is_hash(text: str) -> bool:
    """Whether `text` can be the name of an image."""
    return _SHA256.fullmatch(text) is not None


def show_image(workspace: Workspace, sha256: str) -> Shown:
    """The image with this content: its own bytes where browsers show them as the agents saw them, else a PNG.

    Turned, animated, see-through, CMYK and very large images are converted: upright, the first frame, over white, RGB,
    at most `MOST_SHOWN` pixels. Raises `UsageError` where the workspace does not know the image, its file is gone, lies
    outside the workspace's folder of images, or has another content now. Blocks.
    """
    if not is_hash(sha256):
        raise UsageError("an image is named by its SHA-256")
    path = _inside(workspace, find_image(workspace, sha256))
    data = _read(path, sha256)
    mime = _as_it_is(data, sha256)
    return Shown(mime, data) if mime else Shown("image/png", _converted(path))


def _inside(workspace: Workspace, path: Path) -> Path:
    """`path` with its links followed. Nothing that a table says leads out of the folder."""
    real = path.resolve()
    if not real.is_relative_to(workspace.images.resolve()):
        raise UsageError("the image does not lie in the workspace; analyse it again")
    return real


def _read(path: Path, sha256: str) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise UsageError(f"image {sha256} cannot be read ({error.strerror}); analyse it again") from error
    if hashlib.sha256(data).hexdigest() != sha256:
        raise UsageError(f"image {sha256} has another content now; delete its file and analyse it again")
    return data


def _as_it_is(data: bytes, sha256: str) -> str | None:
    """The MIME type of an image that needs no conversion; only its header is read."""
    try:
        with open_image(BytesIO(data)) as image:
            pixels = image.width * image.height
            seen_alike = image.mode in _BROWSER_MODES and not image.has_transparency_data and _is_still(image)
            upright = (orientation_of(image) or 1) == 1
            mime = _AS_IS.get(image.format or "")
    except Exception as error:  # whatever a decoder throws at hostile bytes, there is nothing to show
        raise UsageError(f"image {sha256} is not readable; analyse it again") from error
    if pixels > MOST_PIXELS:
        raise UsageError(f"image {sha256} is too large to show")
    return mime if seen_alike and upright and pixels <= MOST_SHOWN else None


def _is_still(image: ImageFile.ImageFile) -> bool:
    """Whether there is one frame to show. A camera's JPEG has a preview as a second one, which browsers ignore."""
    try:
        return image.format == "MPO" or getattr(image, "n_frames", 1) == 1
    except Exception:  # later frames may be damaged: the first is what counts
        return False


def _converted(path: Path) -> bytes:
    buffer = BytesIO()
    picture: Image.Image = load_rgb(path, MOST_SHOWN)
    # Speed counts here, not size: a person waits, on the same machine as a rule.
    picture.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()
