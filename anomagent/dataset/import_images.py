"""The images of published annotations: found by base name, in files or in the workspace, and taken into it."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from anomagent.benchmark.annotations import ImageAnnotations, base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.items import Item
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.images import (
    Arrival,
    hash_file,
    images_by_name,
    keep_copy,
    label_of,
    read_image,
    register_images,
)
from anomagent.store.imports import kept_copies, note_names
from anomagent.store.pictures import Unfit, examine
from anomagent.store.sources import Source, note_sources


class Place(NamedTuple):
    """Where an image is."""

    sha256: str
    item: Item | None
    """None where the workspace has it."""


class Found(NamedTuple):
    """What a file says about an image, and where that is."""

    said: ImageAnnotations
    place: Place


Find = Callable[[str], Place | None]
"""Finds an image by its base name."""


def in_workspace(workspace: Workspace) -> Find:
    """Among the images of the workspace; copies are called by their content."""
    known = images_by_name(workspace)
    return lambda name: Place(known[name].stem, None) if name in known else None


def in_files(items: Iterable[Item]) -> Find:
    """Among files. Raises `UsageError` where two with the base name differ."""
    files: defaultdict[str, list[Item]] = defaultdict(list)
    for item in items:
        files[base_name(item.path)].append(item)

    def find(name: str) -> Place | None:
        places = {hash_file(Path(item.path)): item for item in files.get(name, ())}
        places.pop(None, None)
        if len(places) > 1:
            one, other, *_ = places.values()
            raise UsageError(
                f"{one.path} and {other.path} share the base name {shown(name)}, by which images are matched, and "
                "differ; rename one or give the folder of one"
            )
        return next((Place(sha256, item) for sha256, item in places.items() if sha256), None)

    return find


def take(workspace: Workspace, found: Sequence[Found], source: str | None, skip: bool) -> Iterator[Found]:
    """Let the workspace have these images, under the names that the annotations have for them, and give them back.

    One that is no image that can be analysed is left out, where `skip` says so, and raises `Unfit` else. `source` is
    that of images whose manifest names none.
    """
    kept = kept_copies(workspace, [one.place.sha256 for one in found])
    arrivals: list[Arrival] = []
    there: list[Found] = []
    for one in found:
        if one.place.item and one.place.sha256 not in kept:
            try:
                arrivals.append(_arrival(workspace, one.place.item, one.said.key))
            except Unfit:
                if not skip:
                    raise
                continue
            one = Found(one.said, Place(arrivals[-1].sha256, one.place.item))
        there.append(one)
    with workspace.writing() as connection:
        register_images(connection, arrivals)
        note_names(connection, [(one.place.sha256, one.said.key) for one in there])
        note_sources(connection, filter(None, (_source(one, source) for one in there)))
    yield from there


def _arrival(workspace: Workspace, item: Item, name: str) -> Arrival:
    _, data = read_image(item.path)
    arrival = Arrival(hashlib.sha256(data).hexdigest(), name, examine(data, item.path), len(data))
    keep_copy(workspace, arrival, data)
    return arrival


def _source(found: Found, source: str | None) -> Source | None:
    """What is said of where an image comes from; None where nothing is."""
    item = found.place.item
    if item is None:
        return Source(found.place.sha256, found.said.key, source=source) if source else None
    said = item.source or item.generator or source
    path = label_of(Path(item.path).absolute())
    return Source(found.place.sha256, found.said.key, path, item.prompt, said, item.id)
