"""Raw images into a workspace: each file checked, copied once, and known with its prompt, its source and its boxes."""

import hashlib
import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from typing import Final

from anomagent.benchmark.items import Item
from anomagent.dataset.ahead import in_order
from anomagent.dataset.rules import BROKEN, REASONS, Reason, Rules
from anomagent.store.image_scores import ImageScore, insert_scores
from anomagent.store.images import (
    Arrival,
    Shelf,
    keep_copy,
    known_images,
    label_of,
    read_image,
    register_images,
    remove_unfinished,
)
from anomagent.store.pictures import Unfit, examine
from anomagent.store.selections import append_selections, newest_selections
from anomagent.store.sources import LeftOut, Source, known_names, note_boxes, note_left_out, note_sources
from anomagent.store.steps import DatasetStep
from anomagent.store.workspace import Workspace

EXIF: Final = "exif"
"""The "model" of the scores exif_orientation, exif_camera (subject: which one) and exif_position."""

_AT_ONCE: Final = 256
"""Files that become known in one transaction."""
_SLACK: Final = 1.0
"""Pixels by which a box may reach over the edge: half-pixel corners, and scaled boxes that were rounded."""


@dataclass
class Ingested:
    """What an ingest did."""

    files: int = 0
    """Files looked at."""
    new: int = 0
    """Images that the workspace did not know."""
    known: int = 0
    """Files with the content of an image that it knew, from this time or an earlier one."""
    left_out: Counter[Reason] = field(default_factory=Counter[Reason])
    turned: int = 0
    """Of those looked into: pictures that EXIF turns,"""
    cameras: int = 0
    """that name the camera they are from: photographs, not generated images,"""
    positions: int = 0
    """that say where on earth they were taken: data to remove before anything is published."""
    boxes_outside: list[str] = field(default_factory=list[str])
    """Images of which a box reaches over the edge; none of their boxes is taken."""

    @property
    def broken(self) -> int:
        """Files that are missing, unreadable or damaged."""
        return sum(self.left_out[reason] for reason in BROKEN)


@dataclass(frozen=True, slots=True)
class _Looked:
    """A file after a look at it: an arrival, or why it is left out. `sha256` is known unless it could not be read."""

    item: Item
    name: str
    sha256: str = ""
    arrival: Arrival | None = None
    reason: Reason | None = None
    message: str = ""


def ingest(
    workspace: Workspace,
    step: DatasetStep,
    items: Sequence[Item],
    rules: Rules,
    source: str | None = None,
    progress: Callable[[int], None] | None = None,
) -> Ingested:
    """Take the images of `items` into the workspace; `source` is that of all whose manifest names none.

    Every file is read and known by its content, each time: a name, size or date proves nothing. What an earlier ingest
    has taken is not decoded or copied again, so doing it twice changes nothing, and what was broken off goes on. Files
    become known some hundreds at a time, in order. Raises `StoreError` where the workspace cannot be written.
    """
    told = Ingested()
    remove_unfinished(workspace)
    with closing(Shelf(workspace)) as shelf, ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        looks = in_order(pool, lambda item: _look(workspace, shelf, rules, item), items)
        while looked := list(islice(looks, _AT_ONCE)):
            with workspace.writing() as connection:
                _note(connection, step.id, looked, source, told)
            told.files += len(looked)
            if progress:
                progress(told.files)
    step.result = result_of(told)
    return told


def result_of(told: Ingested) -> dict[str, object]:
    """What an ingest did, as the store and JSON keep it."""
    reasons = {reason: told.left_out[reason] for reason in REASONS if told.left_out[reason]}
    counts = {"files": told.files, "new": told.new, "known": told.known, "left_out": reasons}
    exif = {"turned": told.turned, "cameras": told.cameras, "positions": told.positions}
    return {**counts, "exif": exif, "boxes_outside": len(told.boxes_outside)}


def _look(workspace: Workspace, shelf: Shelf, rules: Rules, item: Item) -> _Looked:
    """Read a file, check it, and copy it where it is fit."""
    name, sha256 = label_of(item.path), ""
    try:
        _, data = read_image(item.path, name)
        sha256 = hashlib.sha256(data).hexdigest()
        picture = shelf.find(sha256) or examine(data, name)
    except Unfit as error:
        return _Looked(item, name, sha256, None, error.fault, str(error).removeprefix(f"{name}: "))
    if broken := rules.broken_by(picture):
        return _Looked(item, name, sha256, None, *broken)
    arrival = Arrival(sha256, name, picture, len(data))
    keep_copy(workspace, arrival, data)
    return _Looked(item, name, sha256, arrival)


def _note(
    connection: sqlite3.Connection, step: int, looked: Sequence[_Looked], source: str | None, told: Ingested
) -> None:
    """Let the database know what was found, and count it."""
    refused: list[tuple[_Looked, Reason]] = [(one, one.reason) for one in looked if one.reason]
    note_left_out(connection, step, [LeftOut(one.name, reason, one.message) for one, reason in refused])
    for _, reason in refused:
        told.left_out[reason] += 1
    arrived = _named(connection, [(one.item, one.arrival) for one in looked if one.arrival])
    new = register_images(connection, [arrival for _, arrival in arrived])
    note_sources(connection, (_source(item, arrival, source) for item, arrival in arrived), step)
    told.new, told.known = told.new + new, told.known + len(arrived) - new
    for item, arrival in arrived:
        _note_boxes(connection, item, arrival, told)
    _note_exif(connection, [arrival for _, arrival in arrived], told)
    _decide(connection, step, looked)


def _named(connection: sqlite3.Connection, arrived: Sequence[tuple[Item, Arrival]]) -> list[tuple[Item, Arrival]]:
    """A file that an earlier ingest took keeps its name, however its path is spelled this time."""
    places = [(arrival.sha256, _path(item)) for item, arrival in arrived]
    names = known_names(connection, places)
    return [
        (item, replace(arrival, name=names.get(place, arrival.name)))
        for place, (item, arrival) in zip(places, arrived, strict=True)
    ]


def _source(item: Item, arrival: Arrival, source: str | None) -> Source:
    said = item.source or item.generator or source
    return Source(arrival.sha256, arrival.name, _path(item), item.prompt, said, item.id)


def _path(item: Item) -> str:
    return label_of(os.path.abspath(item.path))


def _note_boxes(connection: sqlite3.Connection, item: Item, arrival: Arrival, told: Ingested) -> None:
    width, height = arrival.picture.width + _SLACK, arrival.picture.height + _SLACK
    if any(box.x1 > width or box.y1 > height for box in item.boxes):
        told.boxes_outside.append(arrival.name)
    elif item.boxes:
        note_boxes(connection, arrival.sha256, item.boxes)


def _note_exif(connection: sqlite3.Connection, arrivals: Sequence[Arrival], told: Ingested) -> None:
    """Keep what EXIF says beside the pixels. An image under two names is counted once."""
    rows: list[ImageScore] = []
    for sha256, picture in {arrival.sha256: arrival.picture for arrival in arrivals}.items():
        if picture.orientation:
            rows.append(ImageScore(sha256, "exif_orientation", EXIF, "", picture.orientation))
        if picture.camera:
            rows.append(ImageScore(sha256, "exif_camera", EXIF, picture.camera, 1))
        if picture.has_position:
            rows.append(ImageScore(sha256, "exif_position", EXIF, "", 1))
    insert_scores(connection, rows)
    found = Counter(row.score for row in rows)
    told.turned += found["exif_orientation"]
    told.cameras += found["exif_camera"]
    told.positions += found["exif_position"]


def _decide(connection: sqlite3.Connection, step: int, looked: Sequence[_Looked]) -> None:
    """Where the rules decide otherwise than before about an image that is in the workspace, say so."""
    fits = {one.sha256: (one.arrival is not None, one.reason) for one in looked if one.sha256}
    known = known_images(connection, list(fits))
    standing = newest_selections(connection, "ingest", list(known))
    rows = [
        (sha256, kept, reason)
        for sha256, (kept, reason) in fits.items()
        if sha256 in known and kept != (sha256 not in standing or standing[sha256].kept)
    ]
    append_selections(connection, step, "ingest", rows)
