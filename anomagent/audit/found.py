"""The images of generators as the readers of layouts give them."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class FoundImage:
    """One image to audit."""

    path: Path
    prompt: str | None
    """What it was to show, as written; None where that is not known."""
    key: str
    """Its name in Unicode normal form C, with "/": the path relative to the folder or manifest; unique there."""


@dataclass(frozen=True)
class GeneratorImages:
    """What one generator made."""

    generator: str
    layout: str
    """One of `LAYOUTS`; several with "+" between them where they were found in parts of one generator."""
    images: tuple[FoundImage, ...]
    """In the order of their keys."""
    ignored: int = 0
    """Files in its folder that are no images of it: hidden ones, other suffixes, overview grids."""

    @property
    def without_prompt(self) -> int:
        """How many images have no known prompt."""
        return sum(image.prompt is None for image in self.images)
