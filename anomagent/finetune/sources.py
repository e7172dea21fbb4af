"""Images to learn from, with what is known of each: found, looked at and sorted by content, wherever they come from."""

import hashlib
import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Final, NamedTuple

from anomagent.benchmark.documents import is_unicode
from anomagent.errors import UsageError
from anomagent.finetune.left_out import LeftOut, Reason
from anomagent.finetune.selection import Part, Selection
from anomagent.models.imaging import open_image, orientation_of
from anomagent.state.findings import Anomaly
from anomagent.store.images import read_image
from anomagent.store.pictures import Unfit, examine

_AT_ONCE: Final = 64
"""Images that are handed to the threads together."""
_MOST_THREADS: Final = 8
"""Each may hold a picture of the largest size."""
_SIDEWAYS: Final = frozenset({5, 6, 7, 8})
"""EXIF orientations that swap width and height."""


@dataclass(frozen=True, slots=True)
class Told:
    """What is known of one image."""

    anomalies: tuple[Anomaly, ...] = ()
    """Of candidates, those that people accepted."""
    rejected: tuple[Anomaly, ...] = ()
    undecided: int = 0
    """Candidates that are neither."""
    description: str | None = None
    """Of a real image: why it looks real."""
    partial: bool = False
    """Whether something failed of the analysis, so that an empty list says nothing."""
    bad: tuple[str, ...] = ()
    """Entries that could not be read, and why."""


@dataclass(frozen=True, slots=True)
class Draft:
    """An image that is wanted, before anybody has looked at its file."""

    name: str
    """Its base name."""
    path: Path | None
    """None: there is no such file."""
    part: Part
    tell: Callable[[], Told]
    sha256: str | None = None
    """Of one that is known already: its pixels were decoded before, and only its header is looked at."""


class Subject(NamedTuple):
    """An image that models can learn from."""

    sha256: str
    name: str
    path: Path
    """Absolute, its folder without links."""
    width: int
    """Pixels, after the EXIF orientation is applied; so is the height."""
    height: int
    part: Part
    tell: Callable[[], Told]


@dataclass
class Gathered:
    """What the sources give; each of them adds to it."""

    drafts: list[Draft] = field(default_factory=list[Draft])
    left_out: LeftOut = field(default_factory=LeftOut)
    seen: dict[str, object] = field(default_factory=dict[str, object])
    """Base names of images of which something is said, and where."""
    fingerprints: dict[str, bytes] = field(default_factory=dict[str, bytes])
    """By content, where they are known."""
    facts: dict[str, object] = field(default_factory=dict[str, object])
    """What the sources say of themselves, for the report."""

    def unknown(self, selection: Selection) -> list[str]:
        """Names of the split, as far as they are allowed, of which nothing is said."""
        return sorted(name for name in (selection.parts or {}).keys() - self.seen.keys() if selection.allows([name]))


def look_at(drafts: Sequence[Draft], left_out: LeftOut, progress: Callable[[int, int], None]) -> list[Subject]:
    """The images by content hash; those whose file is missing or is no image that can be used are left out."""
    found: list[Subject] = []
    remaining, done = iter(drafts), 0
    with ThreadPoolExecutor(min(_MOST_THREADS, os.cpu_count() or 1)) as pool:
        while some := list(islice(remaining, _AT_ONCE)):
            for draft, seen in zip(some, pool.map(_tried, some), strict=True):
                if isinstance(seen, Subject):
                    found.append(seen)
                else:
                    left_out.add(seen[0], draft.name, seen[1])
            done += len(some)
            progress(done, len(drafts))
    return sorted(found, key=lambda subject: subject[:2])


def _tried(draft: Draft) -> "Subject | tuple[Reason, str]":
    """The image, or why there is none."""
    if draft.path is None:
        return "missing", "no file of this name"
    place = draft.path.parent.resolve() / draft.path.name
    if not is_unicode(str(place)):
        return "unreadable", "its path is no text"
    try:
        sha256, width, height = _known(draft.sha256, place) if draft.sha256 else _whole(place)
    except Unfit as error:
        return ("missing" if error.fault == "missing" else "unreadable"), str(error)
    except UsageError as error:
        return "unreadable", str(error)
    return Subject(sha256, draft.name, place, width, height, draft.part, draft.tell)


def _whole(place: Path) -> tuple[str, int, int]:
    label, data = read_image(place)
    picture = examine(data, label)
    return hashlib.sha256(data).hexdigest(), picture.width, picture.height


def _known(sha256: str, place: Path) -> tuple[str, int, int]:
    try:
        with place.open("rb") as file, open_image(file) as image:
            width, height = image.size
            is_turned = orientation_of(image) in _SIDEWAYS
            return (sha256, height, width) if is_turned else (sha256, width, height)
    except FileNotFoundError as error:
        raise Unfit(f"{place}: no such file; the workspace has lost its copy", "missing") from error
    except (OSError, ValueError) as error:
        raise UsageError(f"{place}: not a readable image ({error}); the workspace's copy is damaged") from error
