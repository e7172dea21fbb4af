"""Images that a user names: from folders, globs and manifests, each path once, with what is said about them."""

import glob
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import islice
from pathlib import Path
from typing import Final

from anomagent.benchmark.boxes import Boxes
from anomagent.benchmark.documents import read_document, shown
from anomagent.benchmark.images import IMAGE_SUFFIXES
from anomagent.benchmark.manifests import Listed, read_listing
from anomagent.benchmark.shapes import is_record
from anomagent.errors import UsageError

MANIFEST_SUFFIXES: Final = frozenset({".csv", ".tsv", ".json", ".jsonl", ".ndjson", ".parquet", ".pq"})

_JSON_SUFFIXES: Final = frozenset({".json", ".jsonl", ".ndjson"})

_WORDS: Final = ("prompt", "source", "generator", "id")

_DATABASE: Final = "anomagent.db"
"""A folder with this file is a workspace, and the images in it are copies."""


@dataclass(frozen=True, slots=True)
class Item:
    """One image, and what a manifest says about it. The file itself is not looked at before its turn."""

    path: str
    """As it was given; of a manifest's row, behind the manifest's folder. It is also what results call the image."""
    prompt: str | None = None
    source: str | None = None
    generator: str | None = None
    id: str | None = None
    boxes: Boxes = ()

    @property
    def name(self) -> str:
        """What results call the image: the whole path, so that equal names in two folders stay apart."""
        return self.path

    @property
    def details(self) -> dict[str, str]:
        """What the manifest says in words beside the path."""
        said = {column.name: getattr(self, column.name) for column in fields(self) if column.name in _WORDS}
        return {column: text for column, text in said.items() if text is not None}

    @property
    def is_described(self) -> bool:
        """Whether a manifest says anything about the image."""
        return bool(self.details or self.boxes)


def gather(paths: Iterable[str | Path], limit: int | None = None) -> list[Item]:
    """The images that `paths` name, in their order, each path once: files, folders, globs and manifests.

    Folders are searched at every depth, without following links, for files with an image's suffix; hidden files and
    workspaces are left out. A file that is missing or damaged is an item all the same, and fails in its turn. With
    `limit`, only the first so many.

    Raises `UsageError` for a path that names no image, a manifest that cannot be read or names a URL, two manifests
    that disagree about an image, and where not one of the images exists.
    """
    found: dict[str, Item] = {}
    for path in paths:
        for item in _named(os.fspath(path)):
            _add(found, item)
    items = list(islice(found.values(), limit))
    if not any(os.path.exists(item.path) for item in items):
        others = f" (and none of {len(items) - 1:,} more)" if len(items) > 1 else ""
        raise UsageError(f"{items[0].path}: no such file{others}; check the paths")
    return items


def _add(found: dict[str, Item], item: Item) -> None:
    """A listing with details goes before one without."""
    known = found.setdefault(os.path.abspath(item.path), item)
    if known.is_described and item.is_described and (known.details, known.boxes) != (item.details, item.boxes):
        raise UsageError(f"{shown(item.path)}: two manifests say different things about it; keep one")
    if item.is_described and not known.is_described:
        found[os.path.abspath(item.path)] = item


def _named(path: str) -> Sequence[Item]:
    """The items behind one path as the user gave it."""
    _refuse_url(path, "")
    if os.path.isdir(path):
        items = list(map(Item, _in_folder(path)))
    elif os.path.exists(path) or not glob.has_magic(path):
        items = _of_file(path)
    else:
        items = [item for match in sorted(glob.iglob(path, recursive=True)) for item in _matched(match, path)]
    if not items:
        raise UsageError(f"{path}: names no image; known endings: {' '.join(sorted(IMAGE_SUFFIXES))}")
    return items


def _of_file(path: str) -> list[Item]:
    suffix = Path(path).suffix.lower()
    if suffix in MANIFEST_SUFFIXES:
        return _of_manifest(Path(path))
    if suffix not in IMAGE_SUFFIXES and not os.path.exists(path):
        raise UsageError(f"{path}: no such file or folder; check the path")
    return [Item(path)]


def _matched(match: str, pattern: str) -> list[Item]:
    """What a glob's match stands for: as in a folder, other files beside the images do not count."""
    if os.path.isdir(match):
        return list(map(Item, _in_folder(match)))
    suffix = Path(match).suffix.lower()
    if suffix in MANIFEST_SUFFIXES and pattern.lower().endswith(suffix):
        return _of_manifest(Path(match))
    return [Item(match)] if suffix in IMAGE_SUFFIXES else []


def _in_folder(folder: str) -> Iterator[str]:
    for parent, folders, files in os.walk(folder, onerror=_refuse):
        folders[:] = sorted(
            name for name in folders if not name.startswith(".") and not _is_workspace(os.path.join(parent, name))
        )
        for file in sorted(files):
            if Path(file).suffix.lower() in IMAGE_SUFFIXES and not file.startswith("."):
                yield os.path.join(parent, file)


def _is_workspace(folder: str) -> bool:
    return os.path.exists(os.path.join(folder, _DATABASE))


def _refuse(error: OSError) -> None:
    raise UsageError(f"{error.filename}: cannot be read ({error.strerror}); check its permissions") from error


def _of_manifest(path: Path) -> list[Item]:
    if path.suffix.lower() in _JSON_SUFFIXES and any(map(is_record, read_document(path).items()[:1])):
        raise UsageError(f"{path}: holds results, not a list of images; give a table with the column image")
    items = [_item(listed, path) for listed in read_listing(path)]
    if not items:
        raise UsageError(f"{path}: lists no image; give a table with the column image and a row for each")
    return items


def _item(listed: Listed, manifest: Path) -> Item:
    image = listed.values["image"]
    _refuse_url(image, f"{manifest}: ")
    words = {column: text for column, text in listed.values.items() if column in _WORDS}
    return Item(str(manifest.parent / image), **words, boxes=listed.boxes)


def _refuse_url(image: str, place: str) -> None:
    if "://" in image or image.startswith("data:"):
        raise UsageError(f"{place}{shown(image)} is a URL; download the images and name the files")
