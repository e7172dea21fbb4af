# pyright: basic
"""Pixel bounds: how large images are when a model sees them."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomagent.errors import UsageError
from anomagent.finetune.serving.libraries import quiet, refusals, short


@dataclass(frozen=True)
class Bounds:
    """Pixels of an image that the model gets, at least and at most."""

    least: int
    most: int

    def options(self) -> dict[str, int]:
        """Under the image processor's names for them."""
        return {"min_pixels": self.least, "max_pixels": self.most}

    def __str__(self) -> str:
        return f"{self.least:,} to {self.most:,} pixels"


def pixel_bounds(directory: Path) -> Bounds:
    """The pixel bounds that the image processor in `directory` works with. Raises `UsageError`."""
    file = directory / "preprocessor_config.json"
    size = getattr(image_processor(directory), "size", None) or {}
    least, most = (size.get(name) for name in ("shortest_edge", "longest_edge"))
    if not (isinstance(least, int) and isinstance(most, int) and 0 < least <= most):
        raise UsageError(f"{file}: its pixel bounds are {least} and {most}; write min_pixels and max_pixels there")
    return Bounds(least, most)


def image_processor(directory: Path, bounds: Bounds | None = None) -> Any:
    """The image processor in `directory`, perhaps with other bounds. Raises `UsageError`."""
    from transformers import AutoImageProcessor

    options = bounds.options() if bounds else {}
    try:
        with quiet():
            # The bounds go in under their old names: a `size` would be overridden by old names in the file.
            return AutoImageProcessor.from_pretrained(directory, trust_remote_code=False, **options)
    except (OSError, KeyError, AttributeError, ImportError, *refusals()) as error:
        raise UsageError(f"{directory}: no usable image processor ({short(error)}); save it again") from error
