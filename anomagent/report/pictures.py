"""Where the images of a report lie: in a folder or in a workspace, found by base name."""

from collections.abc import Callable
from pathlib import Path

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.labels import IMAGE_SUFFIXES
from anomagent.report.html import picture_url

EXAMPLE_PIXELS = 160 * 1024
"""Example images are scaled down to this many pixels: a page may hold dozens of them."""

FindPicture = Callable[[str], str | None]
"""From an image's base name to its data URL, None where it is not at hand."""


def no_pictures(_name: str) -> None:
    """The images are not at hand."""


def pictures_in(paths: dict[str, Path]) -> FindPicture:
    """Find pictures among files by base name."""

    def find(name: str) -> str | None:
        path = paths.get(base_name(name))
        return picture_url(path, EXAMPLE_PIXELS) if path else None

    return find


def images_below(folder: Path) -> dict[str, Path]:
    """The image files in `folder` and below by base name; a name that two files share is left out."""
    found: dict[str, Path] = {}
    twice: set[str] = set()
    for path in sorted(folder.rglob("*")):
        if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
            name = base_name(path.name)
            if name in found:
                twice.add(name)
            found[name] = path
    return {name: path for name, path in found.items() if name not in twice}
