"""The files of a batch, looked at before it runs: which are the same, which are done, and how large they are."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from anomagent.batch.states import Which, find_states, is_meant
from anomagent.models.imaging import open_image, orientation_of
from anomagent.store import Workspace
from anomagent.store.images import hash_file

MOST_HASHED = 2_000
"""Up to so many files are known by content; more are known by path, and finished ones are not looked for."""
MOST_MEASURED = 500
"""So many headers are read, evenly spread over the files."""

Size = tuple[int, int]
"""Width and height in pixels, upright."""


@dataclass(frozen=True)
class ToDo:
    """What is left of a list of files."""

    paths: list[str]
    repeated: int
    """Further names of files that are in `paths`."""
    finished: int
    """Files left out because they are finished under one of the configurations."""
    left_alone: int
    """Files left out because they failed before, or because only those that did are meant."""
    notes: list[str]


def find_to_do(
    paths: Sequence[str], workspace: Workspace | None, configurations: Sequence[str], which: Which = "missing"
) -> ToDo:
    """Take out repeated files, and those that a batch of `which` leaves alone: see `anomagent.batch.states`."""
    distinct = list(dict.fromkeys(paths))
    if len(distinct) > MOST_HASHED:
        note = (
            f"more than {MOST_HASHED:,} files: equal ones are known by their path only,"
            " and finished ones were not looked for"
        )
        return ToDo(distinct, len(paths) - len(distinct), 0, 0, [note])
    by_content = {hash_file(Path(path)) or path: path for path in reversed(distinct)}
    left = dict(reversed(by_content.items()))
    states = find_states(workspace, list(left), configurations) if workspace else {}
    notes = [] if configurations or not workspace else ["images that are finished already were not looked for"]
    todo = [path for content, path in left.items() if is_meant(states.get(content), which)]
    finished = sum(state == "ok" for state in states.values())
    return ToDo(todo, len(paths) - len(left), finished, len(left) - len(todo) - finished, notes)


def measure(paths: Sequence[str]) -> tuple[list[Size], list[str]]:
    """The sizes of the files, of an even sample where there are many, and what there is to say about it."""
    many = len(paths) > MOST_MEASURED
    chosen = [paths[n * len(paths) // MOST_MEASURED] for n in range(MOST_MEASURED)] if many else paths
    sizes = [size for path in chosen if (size := _size(path))]
    notes: list[str] = []
    if many:
        notes.append(f"the sizes of {len(chosen)} images stand for those of all {len(paths):,}")
    if unreadable := len(chosen) - len(sizes):
        notes.append(f"{unreadable} of the {len(chosen)} files looked at are no readable images; they are counted")
    return sizes, notes


def _size(path: str) -> Size | None:
    """From the header alone; None for what is no image or cannot be read."""
    try:
        with open(path, "rb") as file, open_image(file) as image:
            sideways = (orientation_of(image) or 1) >= 5
            return (image.height, image.width) if sideways else (image.width, image.height)
    except Exception:  # whatever a decoder throws at hostile bytes: no size is known, and the caller counts it
        return None
