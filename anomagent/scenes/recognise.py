"""Decides from pixels whether an image is one of our rendered scenes.

The embedded model knows rendered scenes and nothing else, and answers about a photograph as if it were one. The
renderer never draws in a thin frame around the image, so that frame shows the bare backdrop: two flat colours of a
known pair that meet at the horizon. Hardly any other image has such a frame, and it survives resizing, JPEG and noise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomagent.scenes import palette
from anomagent.scenes.palette import BACKDROPS, COLOURS, Backdrop, darker, shaded

_GRID: Final = 84
_MAX_STRETCH: Final = 1.04
_MIN_SIDE: Final = 64
_HORIZON_ROWS: Final = (40, 53)
_UPPER_ROWS: Final = slice(0, 40)
_LOWER_ROWS: Final = slice(53, _GRID)
BACKDROP_TOLERANCE: Final = 16.0
_FRAME_SHARE: Final = 0.9
_NEAR: Final = 24.0
_BACKDROP_SHARE: Final = (0.5, 0.96)
_PALETTE_SHARE: Final = 0.4

Pixels = NDArray[np.float64]

_PAINT: Final[tuple[palette.RGB, ...]] = (
    *COLOURS.values(),
    *(darker(name) for name in COLOURS),
    *palette.SKINS,
    *palette.HAIRS,
    palette.INK,
    palette.METAL,
    palette.HALO,
    palette.LIGHT,
    palette.GLASS,
    palette.HUB,
    palette.BARK,
    palette.STEM,
    palette.LEAF,
    palette.TROUSERS,
    palette.SUN,
    palette.PANE,
)


@dataclass(frozen=True)
class Recognition:
    """Whether an image looks like a rendered scene, and if not, why not."""

    accepted: bool
    reason: str = ""


def looks_like_scene(image: Image.Image) -> bool:
    """Whether the image looks like one of our rendered scenes."""
    return recognise(image).accepted


def recognise(image: Image.Image) -> Recognition:
    """Looks for the renderer's frame, backdrop and palette in an image of any size and mode."""
    width, height = image.size
    if max(width, height) > _MAX_STRETCH * min(width, height):
        return Recognition(False, "the image is not square")
    if min(width, height) < _MIN_SIDE:
        return Recognition(False, f"the image is smaller than {_MIN_SIDE} pixels")
    pixels = _grid(image)
    backdrop = _backdrop(pixels)
    if backdrop is None:
        return Recognition(False, "its border does not show the backdrop of a rendered scene")
    share, painted = _shares(pixels, backdrop)
    if share < _BACKDROP_SHARE[0]:
        return Recognition(False, "too little of the backdrop is visible")
    if share > _BACKDROP_SHARE[1]:
        return Recognition(False, "it shows a backdrop without objects")
    if painted < _PALETTE_SHARE:
        return Recognition(False, "its objects do not have the colours of rendered objects")
    return Recognition(True)


def _grid(image: Image.Image) -> Pixels:
    """The image averaged down to shape (84, 84, 3); two canvas units a cell, which also averages noise away."""
    if image.has_transparency_data:
        image = image.convert("RGBA")
    small = image.convert("RGB").resize((_GRID, _GRID), Image.Resampling.BOX)
    return np.asarray(small, dtype=np.float64)


def _backdrop(pixels: Pixels) -> Backdrop | None:
    """The known pair of colours that the frame shows, with one horizon at both ends; None if there is none."""
    upper_frame = np.concatenate([pixels[0], pixels[_UPPER_ROWS, 0], pixels[_UPPER_ROWS, -1]])
    lower_frame = np.concatenate([pixels[-1], pixels[_LOWER_ROWS, 0], pixels[_LOWER_ROWS, -1]])
    for backdrop in (pair for pairs in BACKDROPS.values() for pair in pairs):
        if not (_is_flat(upper_frame, backdrop.upper) and _is_flat(lower_frame, backdrop.lower)):
            continue
        left, right = (_horizon(pixels[:, column], backdrop) for column in (0, -1))
        if abs(left - right) <= 1:
            return backdrop
    return None


def _is_flat(frame: Pixels, colour: palette.RGB) -> bool:
    """Whether nearly every pixel of shape (n, 3) has that colour."""
    near = _distance(frame, colour) < BACKDROP_TOLERANCE
    return bool(near.mean() >= _FRAME_SHARE)


def _horizon(column: Pixels, backdrop: Backdrop) -> int:
    """The row, within the range of horizons, from which on the column has the lower colour."""
    first, last = _HORIZON_ROWS
    band = column[first:last]
    lower = _distance(band, backdrop.lower) < _distance(band, backdrop.upper)
    return first + int(np.count_nonzero(~lower))


def _distance(pixels: Pixels, colour: palette.RGB) -> NDArray[np.float64]:
    """Largest difference in any channel, per pixel."""
    return np.abs(pixels - np.asarray(colour, dtype=np.float64)).max(axis=-1)


def _shares(pixels: Pixels, backdrop: Backdrop) -> tuple[float, float]:
    """Share of the image that shows the backdrop, and share of the rest that shows the colours of our objects."""
    behind = [*backdrop, shaded(backdrop.upper, palette.SKIRTING_SHADE)]
    bare = np.min([_distance(pixels, colour) for colour in behind], axis=0) < BACKDROP_TOLERANCE
    rest = pixels[~bare]
    if not len(rest):
        return 1.0, 0.0
    paint = [*_PAINT, shaded(backdrop.lower, palette.SHADOW_SHADE)]
    painted = np.min([_distance(rest, colour) for colour in paint], axis=0) < _NEAR
    return float(bare.mean()), float(painted.mean())
