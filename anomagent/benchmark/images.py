"""Which files are images, known by their names alone: nobody opens them for this."""

from pathlib import PurePath
from typing import Final

IMAGE_SUFFIXES: Final = frozenset(
    ".jpg .jpeg .jpe .jfif .png .webp .gif .tif .tiff .bmp .avif .jp2 .j2k .jpx .ppm .pgm .pbm .pnm".split()  # noqa: SIM905
)
"""What the names of images end in, in lower case."""


def is_image_name(name: str | PurePath) -> bool:
    """Whether a file is called like an image, in whatever case; hidden files, with a dot in front, are none."""
    path = PurePath(name)
    return path.suffix.lower() in IMAGE_SUFFIXES and not path.name.startswith(".")
