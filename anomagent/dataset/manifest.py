"""The data set as a manifest: the images that are kept, for `batch` or whatever else reads a list of images."""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anomagent.dataset.places import checked_place, whole_text
from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.kept import Named, called_copy, read_kept

SUFFIXES: Final = (".jsonl", ".ndjson")


@dataclass
class Written:
    """What a manifest came to hold."""

    images: int = 0
    copies: int = 0
    """Of these, listed by a copy of the workspace: the file is no longer where it came from."""


def write_manifest(workspace: Workspace, out: Path, *, overwrite: bool = False) -> Written:
    """Write a line for each image that is kept: image, and as far as it is known prompt, source and id.

    An image is listed once, by the first of its names under which its file is still there with its size. Read in the
    folder in which the images were ingested, such a line gives an image the name that it has in the workspace. Where
    no such file is left the workspace's copy is listed, from the root on, in a place of the same base name.

    Raises `UsageError` where there is nothing to list, and where the file cannot be written.
    """
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"{out}: a manifest is written as JSON lines; let its name end with {SUFFIXES[0]}")
    place, folder = checked_place(workspace, out, overwrite), Path(os.path.abspath(out)).parent
    told = Written()
    with whole_text(place, out) as stream:
        for names in read_kept(workspace):
            stream.write(json.dumps(_line(workspace, names, folder, told), ensure_ascii=False) + "\n")
        if not told.images:
            raise UsageError(f"workspace {workspace.path}: its data set has no image; ingest some first")
    return told


def _line(workspace: Workspace, names: Sequence[Named], folder: Path, told: Written) -> dict[str, Any]:
    told.images += 1
    for one in names:
        if image := _file(one, folder):
            break
    else:
        told.copies += 1
        one, image = names[0], str(called_copy(workspace, names[0]))
    said = {"image": image}
    for known in (one, *names):  # what is not said under this name may be under another
        about = {"prompt": known.prompt, "source": known.source, "id": known.entry}
        said = {key: value for key, value in about.items() if value is not None} | said
    return {key: said[key] for key in ("image", "prompt", "source", "id") if key in said}


def _file(one: Named, folder: Path) -> str | None:
    """How a manifest in `folder` names the file of this name, if it is still there: as it is called where that leads
    to it, else from the root on."""
    place = one.path or (os.path.abspath(one.name) if one.name else None)
    if place is None or not _is_there(place, one.bytes):
        return None
    as_called = one.name is not None and os.path.normpath(folder / one.name) == os.path.normpath(place)
    return one.name if as_called else place


def _is_there(place: str, size: int) -> bool:
    try:
        return os.path.isfile(place) and os.path.getsize(place) == size
    except (OSError, ValueError):
        return False
