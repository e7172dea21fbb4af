"""What an annotation or prediction file says, whatever its shape: anomalies by image, and what could not be read."""

import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, field

from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly


@dataclass(frozen=True)
class BadEntry:
    """An entry that is no anomaly, and why."""

    source: str
    """The file, or the run, as messages name it."""
    image: str
    index: int
    """Position in the image's list, from 0."""
    reason: str


@dataclass(frozen=True)
class ImageAnnotations:
    """Everything that a file says about one image."""

    key: str
    """The image as the file names it: a base name, a path or an id."""
    anomalies: tuple[Anomaly, ...] = ()
    answer: str | None = None
    """Deepfake detection: the raw answer to "is this image AI-generated?"."""
    description: str | None = None
    """A real image: why it looks real."""
    failure: str | None = None
    """Why there is no list for this image; it is then empty and means nothing. An answer stands nevertheless."""
    partial: str | None = None
    """What failed of the analysis that the list comes from; the list stands, and may lack something."""


@dataclass(frozen=True)
class AnnotationSet:
    """A whole file or run."""

    source: str
    images: Mapping[str, ImageAnnotations]
    """By key, in the file's order."""
    bad: tuple[BadEntry, ...] = field(default=())
    part: frozenset[str] | None = None
    """Base names of the part of a split that this is cut down to, whether it has them or not; None: not cut down."""

    def by_base_name(self) -> dict[str, ImageAnnotations]:
        """By base name, as images are matched between files. Raises `UsageError` where two keys share one."""
        found: dict[str, ImageAnnotations] = {}
        for key, image in self.images.items():
            name = base_name(key)
            if name in found:
                raise UsageError(
                    f"{self.source}: {found[name].key!r} and {key!r} share the base name {name!r}, by which images are "
                    "matched; rename one, or split the file"
                )
            found[name] = image
        return found


def base_name(key: str) -> str:
    """The last part of a path of any system, in Unicode normal form C: how images are matched between files."""
    return unicodedata.normalize("NFC", re.split(r"[\\/]", key.rstrip("\\/"))[-1])
