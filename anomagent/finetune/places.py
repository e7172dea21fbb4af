"""A folder that appears whole or not at all, and never takes the place of somebody else's."""

import errno
import os
import shutil
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from anomagent.benchmark.documents import as_object, parse_json
from anomagent.errors import UsageError

MARK: Final = "data.json"
"""The report of a folder of training data; a folder with files that its report does not name is not replaced."""


@contextmanager
def new_folder(out: Path, replace: bool) -> Generator[Path]:
    """A new folder that takes the place of `out` once the block ends without an error, and is gone otherwise.

    Raises `UsageError` where the place is taken (without `replace`), by something else, or cannot be written, and where
    the disk fills within the block.
    """
    place = _checked(out, replace)
    unfinished, old = (place.with_name(f".{place.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        unfinished.mkdir()
        yield unfinished
        if place.exists():
            place.rename(old)
        unfinished.rename(place)
    except OSError as error:
        if old.exists() and not place.exists():
            old.rename(place)
        raise UsageError(f"{out}: {_problem(error)}") from error
    finally:
        for left in (unfinished, old):
            shutil.rmtree(left, ignore_errors=True)


def _checked(out: Path, replace: bool) -> Path:
    try:
        place = out.expanduser().resolve()
        exists, is_folder, parent = place.exists(), place.is_dir(), place.parent.is_dir()
        own = _own_files(place) if is_folder else set[str]()
        strange = next((name for name in _files_in(place) if name not in own), None)
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{out}: cannot be written ({error}); choose another folder") from error
    if not parent:
        raise UsageError(f"{out}: its folder does not exist; make it, or choose another one")
    if exists and not is_folder:
        raise UsageError(f"{out}: is a file, but a folder is to be written; choose another name")
    if strange is not None:
        raise UsageError(f"{out}: holds {strange}, which is no training data made here; choose another folder")
    if own and not replace:
        raise UsageError(f"{out}: exists; give --force to replace it, or choose another folder")
    return place


def _files_in(folder: Path) -> Iterator[str]:
    """All files, with their paths in the folder, one at a time: it may be somebody's whole disk."""
    for parent, folders, names in os.walk(folder):
        folders.sort()
        yield from (Path(parent, name).relative_to(folder).as_posix() for name in sorted(names))


def _own_files(folder: Path) -> set[str]:
    """The files that the folder's own report names; none where it has no such report."""
    try:
        report = as_object(parse_json((folder / MARK).read_text(encoding="utf-8")))
        return {MARK, *as_object(report.get("files"))}
    except (OSError, ValueError):
        return set()


def _problem(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "not written: disk full; free space or choose another disk, then run again"
    return f"cannot be written ({error.strerror or error}); choose another folder"
