"""Proof that an image processor keeps the pixel bounds: probe images go through it, and their patches are counted."""

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from PIL import Image

from anomagent.errors import ConfigurationError
from anomagent.models.qwen_inputs import QwenInputs

PROBES: Sequence[tuple[int, int]] = ((8, 8), (64, 48), (1000, 500), (1920, 1080), (300, 3000))
"""Sizes from far below to far above the bounds of any recipe, and one thin image."""


def prove_bounds(inputs: QwenInputs, min_pixels: int | None, max_pixels: int | None) -> dict[str, int]:
    """Image tokens of each probe, by its size "WIDTHxHEIGHT".

    Raises `ConfigurationError` where a probe takes fewer or more pixels than the bounds allow (up to the rounding of
    its sides to whole cells), or other tokens than are counted without making patches.
    """
    tokens: dict[str, int] = {}
    with TemporaryDirectory() as folder:
        for width, height in PROBES:
            path = Path(folder) / f"{width}x{height}.png"
            Image.new("RGB", (width, height), "grey").save(path)
            patches = inputs.patches(str(path), path.stem, width * height)
            tokens[path.stem] = inputs.cells(patches)
            _check(inputs, (width, height), tokens[path.stem], (min_pixels, max_pixels))
    return tokens


def bounds_in_force(inputs: QwenInputs) -> dict[str, int]:
    """The pixel bounds that the image processor works with."""
    size: Any = inputs.image_processor.size
    return {"min_pixels": int(size["shortest_edge"]), "max_pixels": int(size["longest_edge"])}


def cell_side(inputs: QwenInputs) -> int:
    """Pixels along the side of what becomes one token: 28 for Qwen2.5-VL, 32 for Qwen3-VL."""
    return inputs.image_processor.patch_size * inputs.image_processor.merge_size


def _check(inputs: QwenInputs, size: tuple[int, int], cells: int, bounds: tuple[int | None, int | None]) -> None:
    least, most = bounds
    pixels = cells * cell_side(inputs) ** 2
    if (least and pixels < least) or (most and pixels > most):
        raise ConfigurationError(
            f"images: a probe of {size[0]} x {size[1]} pixels became {pixels}, outside the bounds {least} to {most};"
            " the image processor does not keep them"
        )
    if inputs.cells_of_size(*size) != cells:
        raise ConfigurationError(f"images: the image processor miscounts the tokens of {size[0]} x {size[1]} pixels")
