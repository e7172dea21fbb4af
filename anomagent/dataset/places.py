"""Where a data set is written: checked before anything is read, and taken whole or not at all."""

import errno
import os
import re
import shutil
import uuid
from collections.abc import Generator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Final, TextIO

from anomagent.benchmark.files import whole_file
from anomagent.errors import UsageError
from anomagent.store import Workspace

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None

_OWN: Final = re.compile(r"README\.md|split\.json|(train|test|val|validation|dev)\.jsonl?|data(/[\w-]+\.parquet)?")
"""What a folder that was written here holds; one with anything else is not replaced."""


def checked_place(workspace: Workspace, out: Path, overwrite: bool, *, folder: bool = False) -> Path:
    """The file or folder to write, links followed. Raises `UsageError` before anything is read.

    What a process that was killed while it wrote a folder has left there is mended first.
    """
    try:
        place = out.expanduser().resolve()
        parent = place.parent.is_dir()
        if folder and parent:
            _recover(place)
        exists = place.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{out}: cannot be written ({error}); choose another file") from error
    own = (workspace.database_path.name, workspace.checkpoints_path.name)
    home = workspace.path.resolve()
    folders = (workspace.images.resolve(), workspace.locks.resolve(), home / "named")
    inside = any(place.is_relative_to(one) for one in folders)
    if (place.parent == home and place.name.startswith(own)) or place == home or inside:
        raise UsageError(f"{out}: belongs to the workspace itself; choose another file")
    if not parent:
        raise UsageError(f"{out}: its folder does not exist; make it, or choose another file")
    if exists and folder and not place.is_dir():
        raise UsageError(f"{out}: is a file, but a folder is to be written; choose another name")
    if exists and not folder and not place.is_file():
        raise UsageError(f"{out}: is a folder or no regular file; choose another file")
    if exists and not overwrite:
        raise UsageError(f"{out}: exists; give --force to replace it, or choose another {'folder' * folder or 'file'}")
    if exists and folder and (strange := _foreign(place)):
        raise UsageError(f"{out}: holds {strange}, which no export wrote; choose another folder")
    return place


def _foreign(folder: Path) -> str | None:
    """A file of the folder that is not of an export, if there is one."""
    held = (Path(parent, name) for parent, folders, files in os.walk(folder) for name in (*folders, *files))
    names = (path.relative_to(folder).as_posix() for path in held)
    return next((name for name in names if not _OWN.fullmatch(name)), None)


@contextmanager
def whole_text(file: Path, out: Path) -> Generator[TextIO]:
    """A stream into a file that takes its place once it is complete, and is gone where anything fails."""
    with disk_errors(out), whole_file(file) as unfinished, opened(unfinished) as stream:
        yield stream


@contextmanager
def opened(file: Path) -> Generator[TextIO]:
    """A stream into a new file, which is on the disk when the block ends."""
    with file.open("w", encoding="utf-8", newline="\n") as stream:
        yield stream
        stream.flush()
        os.fsync(stream.fileno())  # some disks only say here that they are full


@contextmanager
def whole_folder(folder: Path, out: Path) -> Generator[Path]:
    """A new folder that takes the place of `folder` once the block ends without an error, and is gone otherwise.

    Where the process is killed between taking the old one away and putting the new one there, the next
    `checked_place` puts the old one back.
    """
    mark = uuid.uuid4().hex[:12]
    unfinished, old = (folder.with_name(f".{folder.name}.{mark}.{end}") for end in ("part", "old"))
    with disk_errors(out), ExitStack() as held:
        unfinished.mkdir()
        held.enter_context(holding(unfinished))
        try:
            yield unfinished
            _sync_names(unfinished)
            if folder.exists():
                held.enter_context(holding(folder))
                folder.rename(old)
            unfinished.rename(folder)
        finally:
            if old.exists() and not folder.exists():
                old.rename(folder)
            for left in (unfinished, old):
                shutil.rmtree(left, ignore_errors=True)


def sync(path: Path) -> None:
    """Have a file on the disk before anything relies on it."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_names(folder: Path) -> None:
    """The same of the names in a folder; not every file system can."""
    for parent, *_ in os.walk(folder):
        with suppress(OSError):
            sync(Path(parent))


@contextmanager
def holding(folder: Path) -> Generator[bool]:
    """Whether no other process holds the folder: then this one does while the block lasts, or until it is killed."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        yield _locked(descriptor)
    finally:
        os.close(descriptor)


def _locked(descriptor: int) -> bool:
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:  # held by another, or the file system knows no locks
        return False
    return True


def _recover(folder: Path) -> None:
    """Put back the folder that a killed process took away, and remove what else such processes left."""
    name = re.compile(rf"\.{re.escape(folder.name)}\.[0-9a-f]{{12}}\.(part|old)")
    left = [path for path in folder.parent.iterdir() if name.fullmatch(path.name) and path.is_dir()]
    for path in sorted(left, key=lambda path: path.stat().st_mtime, reverse=True):
        with holding(path) as nobody_else:
            if not nobody_else:
                continue
            if path.suffix == ".old" and not folder.exists():
                path.rename(folder)
            else:
                shutil.rmtree(path, ignore_errors=True)


@contextmanager
def disk_errors(out: Path) -> Generator[None]:
    """What the disk has to complain about, as `UsageError` that names what was to be written."""
    try:
        yield
    except OSError as error:
        raise UsageError(f"{out}: {_problem(error)}") from error


def _problem(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "not written: disk full; free space or choose another disk, then run again"
    return f"cannot be written ({error.strerror or type(error).__name__}); choose another file"
