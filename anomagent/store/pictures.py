"""What a picture is, found out from its bytes before anything costs money. The pixels are decoded, and thrown away."""

import io
from dataclasses import dataclass
from typing import Literal

from PIL import ExifTags, Image, ImageFile

from anomagent.errors import UsageError
from anomagent.models.imaging import FORMATS, open_image, orientation_of

MOST_PIXELS = 100_000_000
"""Larger pictures are refused: decoding one takes four bytes a pixel."""

Fault = Literal["missing", "unreadable", "damaged", "too_large"]
"""Why a file cannot become an image: it is not there, cannot be read, is none that decodes, or is beyond a limit."""

_LONGEST_CAMERA = 100

_SIDEWAYS = {5, 6, 7, 8}
"""EXIF orientations that swap width and height."""


class Unfit(UsageError):
    """A file that cannot become an image; `fault` says why in a word."""

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault: Fault = fault


@dataclass(frozen=True)
class Picture:
    """Facts about a picture that can be decoded. Of several frames the first one counts."""

    format: str
    width: int
    """Pixels, after the EXIF orientation is applied."""
    height: int
    frames: int
    orientation: int | None = None
    """The EXIF orientation, 2 to 8, where the picture has to be turned."""
    camera: str | None = None
    """Maker and model of a camera, as EXIF names them."""
    has_position: bool = False
    """Whether EXIF says where on earth it was taken."""

    @property
    def is_animated(self) -> bool:
        """Whether it has several frames; a camera's JPEG has only a preview beside its picture."""
        return self.frames > 1 and self.format != "JPEG"


def examine(data: bytes, name: str) -> Picture:
    """Decode the picture in `data`. `name` is what messages call it.

    Any bit depth and colour mode will do. Raises `Unfit` for what is no picture, is cut off or damaged, has a
    format that is not in `FORMATS`, or has more than `MOST_PIXELS` (the header tells, before anything is decoded).
    """
    try:
        with open_image(io.BytesIO(data)) as image:
            _refuse_huge(image, name)
            image.load()
            width, height = _upright_size(image)
            return Picture(_format(image), width, height, _frames(image), *_exif(image))
    except UsageError:
        raise
    except Exception as error:  # whatever a decoder throws at hostile bytes, the picture is not readable
        reason = " ".join(str(error).split()) or type(error).__name__
        raise Unfit(f"{name}: not a readable image ({reason}); convert it or leave it out", "damaged") from error


def _refuse_huge(image: Image.Image, name: str) -> None:
    width, height = image.size
    if width * height > MOST_PIXELS:
        limit = MOST_PIXELS // 1_000_000
        message = f"{name}: {width:,} x {height:,} pixels, the limit is {limit} megapixels; scale it down"
        raise Unfit(message, "too_large")


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    return (height, width) if orientation_of(image) in _SIDEWAYS else (width, height)


def _exif(image: Image.Image) -> tuple[int | None, str | None, bool]:
    """Orientation where it is not the usual one, camera, and whether there is a position."""
    orientation = orientation_of(image)
    try:
        exif = image.getexif()
        named = (exif.get(tag) for tag in (ExifTags.Base.Make, ExifTags.Base.Model))
        camera = " ".join(" ".join(name.replace("\0", " ").split()) for name in named if isinstance(name, str))
        has_position = bool(exif.get_ifd(ExifTags.IFD.GPSInfo))
    except Exception:  # damaged EXIF data says nothing
        return None, None, False
    turned = orientation if orientation in range(2, 9) else None
    return turned, camera.strip()[:_LONGEST_CAMERA] or None, has_position


def _format(image: ImageFile.ImageFile) -> str:
    """The format's name; a camera's JPEG with a preview inside calls itself MPO."""
    return image.format if image.format in FORMATS else "JPEG"


def _frames(image: Image.Image) -> int:
    """How many frames there are. Later ones that are damaged do not matter: only the first is looked at."""
    try:
        return getattr(image, "n_frames", 1)
    except Exception:
        return 1
