"""Which images are predicted on: all that the user names, or one part of a split."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.items import Item, gather
from anomagent.benchmark.reading import read_split
from anomagent.errors import UsageError


def choose_images(
    paths: Sequence[str], split: Path | None = None, part: str = "test", limit: int | None = None
) -> tuple[list[Item], list[str]]:
    """The images that `paths` name, of these those in `part` of the split file where there is one; with notes.

    Images are matched by base name. Raises `UsageError` for paths that name no image, a file that is no split, a part
    that it does not have or of which no image is there.
    """
    items = gather(paths, limit if split is None else None)
    notes: list[str] = []
    if split:
        items, missing = _in_part(items, split, part)
        items = items[:limit]
        if missing:
            first = shown(min(missing))
            notes.append(f"{len(missing):,} names of part {part} of {split} have no image here, such as {first}")
    return items, [*notes, *_shared_names(items)]


def _in_part(items: Iterable[Item], split: Path, part: str) -> tuple[list[Item], set[str]]:
    """The items of the part, and its names without an item."""
    parts = read_split(split)
    if part not in parts:
        raise UsageError(f"{split}: has no part {shown(part)}; it has {', '.join(sorted(parts))}")
    chosen = [item for item in items if base_name(item.path) in parts[part]]
    if not chosen:
        raise UsageError(f"{split}: no image of part {part} is among the given ones; check the paths")
    return chosen, set(parts[part]) - {base_name(item.path) for item in chosen}


def _shared_names(items: Iterable[Item]) -> list[str]:
    """A note where `evaluate` would refuse the predictions."""
    seen: dict[str, str] = {}
    for item in items:
        other = seen.setdefault(base_name(item.path), item.path)
        if other != item.path:
            return [
                f"{shown(other)} and {shown(item.path)} share a base name, by which `evaluate` matches images:"
                " it will refuse these predictions; predict folder by folder"
            ]
    return []
