"""What files have to learn from: annotations of AI images and descriptions of real ones, with their images' files."""

from collections import defaultdict
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import NamedTuple

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations, base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.items import Item, gather
from anomagent.benchmark.reading import read_annotations
from anomagent.errors import UsageError
from anomagent.finetune.selection import Selection
from anomagent.finetune.sources import Draft, Gathered, Told
from anomagent.store.images import hash_file


class Pair(NamedTuple):
    """A file of annotations or descriptions, and where its images are."""

    said: Path
    images: Path
    """A folder, searched at every depth, or a manifest with the column image."""


def from_files(pair: Pair, is_real: bool, selection: Selection, gathered: Gathered) -> None:
    """Add the images that a file tells of, found by base name or by the id that a manifest gives them.

    Raises `UsageError` for a file that cannot be read, two images with one base name, and one that was told of before.
    """
    said, places = read_annotations(pair.said), _Places(pair.images)
    bad = _bad_entries(said)
    for name, image in said.by_base_name().items():
        if name in gathered.seen:
            raise UsageError(
                f"{gathered.seen[name]} and {pair.said} both tell of {shown(name)}, by which images are matched; "
                "rename one"
            )
        gathered.seen[name] = pair.said
        told = _told(image, is_real, bad.get(image.key, ()))
        _gather(name, image, told, places, selection, gathered)


def _gather(
    name: str, image: ImageAnnotations, told: Told, places: "_Places", selection: Selection, gathered: Gathered
) -> None:
    parts = selection.parts_of([name])
    if not selection.allows([name]):
        gathered.left_out.add("not allowed", name)
    elif not parts:
        gathered.left_out.add("in no part", name)
    elif image.failure is not None and told.bad:
        for reason in told.bad:
            gathered.left_out.add("bad entry", name, reason)
    elif image.failure is not None:
        gathered.left_out.add("failed", name, image.failure)
    else:
        gathered.drafts.append(Draft(name, places.find(name), parts[0], partial(_same, told)))


def _told(image: ImageAnnotations, is_real: bool, bad: tuple[str, ...]) -> Told:
    """A description belongs to a real image, in whichever file it stands; a real image has nothing else."""
    if is_real and image.description is None:
        return Told(description="", bad=(*bad, "it has anomalies instead of a description"))
    says_ai = (image.answer or "").strip().lower().startswith("yes")
    if image.description is not None and not is_real and says_ai:
        return Told(bad=(*bad, "it is called AI-generated and has a description instead of anomalies"))
    return Told(image.anomalies, description=image.description, partial=image.partial is not None, bad=bad)


def _same(told: Told) -> Told:
    return told


def _bad_entries(said: AnnotationSet) -> Mapping[str, tuple[str, ...]]:
    found: defaultdict[str, list[str]] = defaultdict(list)
    for entry in said.bad:
        found[entry.image].append(f"entry {entry.index + 1}: {entry.reason}")
    return {image: tuple(reasons) for image, reasons in found.items()}


class _Places:
    """Files by base name, or by a manifest's id."""

    def __init__(self, images: Path) -> None:
        self._by_name: defaultdict[str, list[Item]] = defaultdict(list)
        self._by_id: defaultdict[str, list[Item]] = defaultdict(list)
        for item in gather([images]):
            self._by_name[base_name(item.path)].append(item)
            if item.id is not None:
                self._by_id[item.id].append(item)

    def find(self, name: str) -> Path | None:
        """Where the image of this name is. Raises `UsageError` where two files of the name differ."""
        paths = [Path(item.path) for item in self._by_name.get(name) or self._by_id.get(name, ())]
        if len(paths) > 1 and len({hash_file(path) for path in paths}) > 1:
            raise UsageError(
                f"{paths[0]} and {paths[1]} are both called {shown(name)}, by which images are matched, and differ; "
                "rename one or give the folder of one"
            )
        return paths[0] if paths and paths[0].is_file() else None
