"""Manifests: tables that say where images come from."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Final, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.boxes import Boxes, read_boxes
from anomagent.benchmark.documents import parse_document, read_text, shown
from anomagent.benchmark.shapes import is_record
from anomagent.benchmark.tables import Row, each_row, is_parquet, text_in
from anomagent.errors import UsageError

COLUMNS: Final = ("image", "prompt", "generator", "source", "id")
"""What a manifest may say in words; other columns are not looked at."""
_BOXES: Final = "boxes"


@dataclass(frozen=True, slots=True)
class Listed:
    """What a manifest says of an image."""

    values: dict[str, str]
    """By column, the image among them."""
    boxes: Boxes = ()


def read_manifest(path: Path, wanted: Collection[str] = ()) -> list[dict[str, str]]:
    """The rows of a manifest: CSV, JSON lines, a JSON list or Parquet, in their order.

    Every row has an image and each column of `wanted`; of the other `COLUMNS` those that it gives. A row that is there
    twice counts once. Raises `UsageError` for a table that cannot be read, a missing value, and an image with two
    different rows.
    """
    return [listed.values for listed in _read(path, COLUMNS, wanted)]


def read_listing(path: Path) -> list[Listed]:
    """The rows of a manifest, with the boxes that its column boxes gives. Raises `UsageError` as `read_manifest`."""
    return _read(path, (*COLUMNS, _BOXES), ())


def _read(path: Path, columns: Collection[str], wanted: Collection[str]) -> list[Listed]:
    found: dict[str, tuple[str, Listed]] = {}
    for row in each_row(path, columns):
        listed = Listed(_entry(row, path, ("image", *wanted)), _boxes(row, path))
        image = listed.values["image"]
        place, known = found.setdefault(image, (row.place, listed))
        if known != listed:
            raise UsageError(f"{path}: {place} and {row.place} say different things about {shown(image)}; keep one")
    return [listed for _, listed in found.values()]


def is_manifest(path: Path) -> bool:
    """Whether a file lists images by prompt or generator, and not what was found in them.

    Raises `UsageError` for a file that cannot be read.
    """
    if is_parquet(path):
        return True
    text = read_text(path)
    if text.lstrip()[0] not in "[{":
        return True
    rows = parse_document(text, path).items()
    first = rows[0] if rows else None
    if not isinstance(first, dict) or is_record(cast(object, first)):
        return False
    columns = cast(dict[str, object], first).keys()
    return "image" in columns and bool(columns & {"prompt", "generator"})


def read_sources(path: Path) -> dict[str, str]:
    """The source, a generator for instance, of each image of a manifest, by base name.

    The column "source" counts, or "generator" in a row without it. Raises `UsageError` as `read_manifest` does, and for
    two images that share a base name and have different sources.
    """
    found: dict[str, str] = {}
    for row in read_manifest(path):
        source, name = row.get("source") or row.get("generator"), base_name(row["image"])
        if source is None:
            raise UsageError(f"{path}: {shown(row['image'])} has no source; add a column source")
        if found.setdefault(name, source) != source:
            raise UsageError(f"{path}: two images {shown(name)} have different sources; rename one")
    return found


def _entry(row: Row, path: Path, needed: Collection[str]) -> dict[str, str]:
    texts = {column: text_in(row, column, path) for column in COLUMNS}
    entry = {column: text for column, text in texts.items() if text is not None}
    if missing := [column for column in needed if column not in entry]:
        raise UsageError(f"{path}: {row.place}: no {missing[0]}; every row needs {', '.join(needed)}")
    if not base_name(entry["image"]).strip():
        raise UsageError(f"{path}: {row.place}: {shown(entry['image'])} is no name of an image; correct the file")
    return entry


def _boxes(row: Row, path: Path) -> Boxes:
    """None where the column was not asked for, or is empty."""
    if _BOXES not in row.values:
        return ()
    try:
        return read_boxes(row.values[_BOXES])
    except ValueError as error:
        raise UsageError(f"{path}: {row.place}: boxes: {error}; correct the file") from error
