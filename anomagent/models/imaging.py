"""Images as models get them: upright RGB, no larger than allowed, the same bytes each time."""

import asyncio
import base64
import math
from collections import OrderedDict
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageOps, UnidentifiedImageError

from anomagent.errors import UsageError

SMALL = 512 * 512
"""Pixels up to which PNG is sent: small pictures have no detail to lose. Larger ones go as JPEG with full colour."""


def load_rgb(path: str | Path, max_pixels: int) -> Image.Image:
    """The first frame of an image as upright RGB of at most `max_pixels`, its proportions kept.

    Transparency is laid over white; grey of 16 bits is scaled to 8, not clipped. Raises `UsageError` if it is unreadable.
    """
    try:
        with Image.open(path) as image:
            return _scaled_down(_rgb(ImageOps.exif_transpose(image)), max_pixels)
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such image") from error
    except UnidentifiedImageError as error:
        raise UsageError(f"{path}: not an image that can be read") from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UsageError(f"{path}: damaged or not readable ({error})") from error


def encode(image: Image.Image) -> tuple[str, bytes]:
    """MIME type and bytes of an RGB image; equal pixels give equal bytes."""
    buffer = BytesIO()
    if image.width * image.height <= SMALL:
        image.save(buffer, "PNG", compress_level=6)
        return "image/png", buffer.getvalue()
    image.save(buffer, "JPEG", quality=95, subsampling="4:4:4")
    return "image/jpeg", buffer.getvalue()


class DataUrls:
    """The last images as data URLs, so that the many calls about one image encode it once. For one event loop."""

    def __init__(self, size: int = 32) -> None:
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
            self._entries.pop(key, None)
            raise


def _data_url(path: str, max_pixels: int) -> str:
    mime, content = encode(load_rgb(path, max_pixels))
    return f"data:{mime};base64,{base64.b64encode(content).decode()}"


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
    _, brightest = values.getextrema()
    if image.mode == "F" and brightest <= 1:  # pyright: ignore[reportOperatorIssue]
        scale = 255.0
    elif image.mode.startswith("I;16") or brightest > 255:  # pyright: ignore[reportOperatorIssue]
        scale = 255 / 65535
    else:
        scale = 1.0
    return values.point(lambda value: value * scale + 0.5).convert("L")


def _scaled_down(image: Image.Image, max_pixels: int) -> Image.Image:
    pixels = image.width * image.height
    if pixels <= max_pixels:
        return image
    ratio = math.sqrt(max_pixels / pixels)
    size = (max(1, math.floor(image.width * ratio)), max(1, math.floor(image.height * ratio)))
    return image.resize(size, Image.Resampling.LANCZOS)
