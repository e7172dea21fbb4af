"""What a picture is, found out from its bytes before anything costs money. The pixels are decoded, and thrown away."""

import io
from dataclasses import dataclass

from PIL import Image, ImageFile

from anomagent.errors import UsageError
from anomagent.models.imaging import FORMATS, open_image, orientation_of

MOST_PIXELS = 100_000_000
"""Larger pictures are refused: decoding one takes four bytes a pixel."""

_SIDEWAYS = {5, 6, 7, 8}
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True)
class Picture:
    """Facts about a picture that can be decoded. Of several frames the first one counts."""

    format: str
    width: int
    """Pixels, after the EXIF orientation is applied."""
    height: int
    frames: int


def examine(data: bytes, name: str) -> Picture:
    """Decode the picture in `data`. `name` is what messages call it.

    Any bit depth and colour mode will do. Raises `UsageError` for what is no picture, is cut off or damaged, has a
    format that is not in `FORMATS`, or has more than `MOST_PIXELS` (the header tells, before anything is decoded).
    """
    try:
        with open_image(io.BytesIO(data)) as image:
            _refuse_huge(image, name)
            image.load()
            width, height = _upright_size(image)
            return Picture(_format(image), width, height, _frames(image))
    except UsageError:
        raise
    except Exception as error:  # whatever a decoder throws at hostile bytes, the picture is not readable
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{name}: not a readable image ({reason}); convert it or leave it out") from error


def _refuse_huge(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        limit = MOST_PIXELS // 1_000_000
        raise UsageError(f"{name}: {width:,} x {height:,} pixels, the limit is {limit} megapixels; scale it down")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if orientation_of(image) in _SIDEWAYS else (width, height)


def _format(image: ImageFile.ImageFile) -> str:
    """The format's name; a camera's JPEG with a preview inside calls itself MPO."""
    return image.format if image.format in FORMATS else "JPEG"


def _frames(image: Image.Image) -> int:
    """How many frames there are. Later ones that are damaged do not matter: only the first is looked at."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        return 1
