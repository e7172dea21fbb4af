"""Images as models get them: upright RGB, no larger than allowed, the same bytes each time."""

import asyncio
import base64
import math
import struct
from collections import OrderedDict
from io import BytesIO
from pathlib import Path
from typing import BinaryIO, cast

from PIL import ExifTags, Image, ImageFile

from anomagent.errors import UsageError

SMALL = 512 * 512
"""Pixels up to which PNG is sent: small pictures have no detail to lose. Larger ones go as JPEG with full colour."""
_LONGEST_JPEG = 65_500
FORMATS = {
    "JPEG": "jpg",
    "PNG": "png",
    "WEBP": "webp",
    "GIF": "gif",
    "TIFF": "tif",
    "BMP": "bmp",
    "AVIF": "avif",
    "JPEG2000": "jp2",
    "PPM": "ppm",
}
"""Formats that are read, with their file extension. Others stay closed: some decoders run foreign programs."""

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""What undoes an EXIF orientation."""


def load_rgb(path: str | Path, max_pixels: int) -> Image.Image:
    """The first frame of an image as upright RGB of at most `max_pixels`, its proportions kept.

    Transparency is laid over white; grey of more than 8 bits is scaled, not clipped. Raises `UsageError` if it is
    unreadable.
    """
    try:
        with open(path, "rb") as file, open_image(file) as image:
            return _scaled_down(_rgb(_upright(image)), max_pixels)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such image; check the path") from error
    except Exception as error:  # whatever a decoder throws at hostile bytes, the image is not readable
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UsageError(f"{path}: not a readable image ({reason}); convert it or leave it out") from error


def open_image(file: BinaryIO) -> ImageFile.ImageFile:
    """The image with only its header read. Raises `ValueError` for what is none of `FORMATS` or has a damaged header.

    This is `Image.open` for our formats, without its check for decompression bombs: that one warns or raises before
    the size can be named, and can only be turned off for the whole process. The workspace refuses what is too large.
    """
    Image.init()
    start = file.read(16)
    file.seek(0)
    for name in FORMATS:
        factory, accepts = Image.OPEN.get(name, (None, None))
        if factory and accepts and accepts(start) is True:
            try:
                return factory(file, "")
            except (SyntaxError, IndexError, TypeError, struct.error) as error:
                raise ValueError(f"damaged {name} header: {error}") from error
    raise ValueError(f"none of {', '.join(FORMATS)}" if start else "empty file")


def orientation_of(image: Image.Image) -> int | None:
    """The EXIF orientation, 1 to 8; None where there is none that can be read."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF data says nothing about the orientation
        return None
    return orientation if isinstance(orientation, int) else None


def encode(image: Image.Image) -> tuple[str, bytes]:
    """MIME type and bytes of an RGB image; equal pixels give equal bytes."""
    buffer = BytesIO()
    if image.width * image.height <= SMALL or max(image.size) > _LONGEST_JPEG:
        image.save(buffer, "PNG", compress_level=6)
        return "image/png", buffer.getvalue()
    image.save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return "image/jpeg", buffer.getvalue()


class DataUrls:
    """The last images as data URLs, so that the many calls about one image encode it once. For one event loop.

    `size` is more than the images that a batch works on at once with 128 calls in flight.
    """

    def __init__(self, size: int = 128) -> None:
        self._size = size
        self._entries: OrderedDict[tuple[str, int], asyncio.Task[str]] = OrderedDict()

    async def get(self, path: str, sha256: str, max_pixels: int) -> str:
        """The data URL of the image with this content hash. Raises `UsageError` as `load_rgb` does."""
        key = (sha256, max_pixels)
        if key not in self._entries:
            self._entries[key] = asyncio.create_task(asyncio.to_thread(_data_url, path, max_pixels))
        self._entries.move_to_end(key)
        while len(self._entries) > self._size:
            self._entries.popitem(last=False)
        try:
            return await asyncio.shield(self._entries[key])
        except UsageError:
            self._entries.pop(key, None)  # the file may be there next time
            raise


def _data_url(path: str, max_pixels: int) -> str:
    mime, content = encode(load_rgb(path, max_pixels))
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


def _upright(image: Image.Image) -> Image.Image:
    turn = _TURNS.get(orientation_of(image) or 1)
    return image if turn is None else image.transpose(turn)


def _rgb(image: Image.Image) -> Image.Image:
    if image.mode.startswith(("I", "F")):
        return _eight_bits(image).convert("RGB")
    if image.has_transparency_data:
        over = image.convert("RGBA")
        white = Image.new("RGBA", over.size, "white")
        return Image.alpha_composite(white, over).convert("RGB")
    return image.convert("RGB")


def _eight_bits(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floating point, scaled to 0..255 by the smallest usual range that holds it."""
    values = image.convert("F")
    brightest = cast(tuple[float, float], values.getextrema())[1]
    ranges = (65535,) if image.mode.startswith("I;16") else (255, 65535) if image.mode == "I" else (1, 255, 65535)
    white = next((white for white in ranges if brightest <= white), brightest)
    return values.point(lambda value: value * (255 / white) + 0.5).convert("L")


def _scaled_down(image: Image.Image, max_pixels: int) -> Image.Image:
    pixels = image.width * image.height
    if pixels <= max_pixels:
        return image
    ratio = math.sqrt(max_pixels / pixels)
    width, height = (max(1, math.floor(side * ratio)) for side in image.size)
    # Of a thin line one side stays 1, so the other has to give more.
    width = max(1, min(width, max_pixels // height))
    height = min(height, max_pixels // width)
    return image.resize((width, height), Image.Resampling.LANCZOS)
