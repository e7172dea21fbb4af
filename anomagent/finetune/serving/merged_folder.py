"""The folder of a merged model: checked before anything is loaded, and there whole or not at all."""

import errno
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from anomagent.errors import UsageError
from anomagent.finetune.serving.libraries import damage

MARK = "parity.json"
"""The file by which a folder that a merge wrote is known."""
_SPARE = 2**24
"""Bytes for everything but the weights."""


def check_place(out: Path, force: bool) -> Path:
    """Where to write, links followed. Raises `UsageError` for what exists and may not be replaced."""
    try:
        place = out.expanduser().resolve()
        exists = place.exists()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{out}: cannot be written ({error}); choose another --out") from error
    if not place.parent.is_dir() or not os.access(place.parent, os.W_OK):
        raise UsageError(f"{out}: its folder does not exist or is not writable; make it, or choose another --out")
    if exists and not force:
        raise UsageError(f"{out}: exists; give --force to replace it, or choose another --out")
    if exists and not (place / MARK).is_file():
        raise UsageError(f"{out}: was not written by a merge (it has no {MARK}), and is not replaced; choose another")
    return place


def check_room(place: Path, out: Path, needed: int) -> None:
    """Raises `UsageError` where the disk has not `needed` bytes and some, before hours are spent."""
    free = shutil.disk_usage(place.parent).free
    if free < needed + _SPARE:
        raise UsageError(
            f"{out}: the merged model needs {(needed + _SPARE) / 1e9:,.2f} GB, its disk has {free / 1e9:,.2f} GB free;"
            " free space or choose another --out"
        )


@contextmanager
def merged_folder(place: Path, out: Path) -> Generator[Path]:
    """A new folder that takes its place once the block ends without an error, and is gone otherwise."""
    unfinished, old = (place.with_name(f".{place.name}.{os.getpid()}.{end}") for end in ("part", "old"))
    try:
        unfinished.mkdir()
        yield unfinished
        if place.exists():
            place.rename(old)
        try:
            unfinished.rename(place)
        except OSError:
            if old.exists():
                old.rename(place)
            raise
    except (OSError, damage()) as error:
        raise UsageError(f"{out}: {_problem(error)}") from error
    finally:
        for left in (unfinished, old):
            shutil.rmtree(left, ignore_errors=True)


def _problem(error: Exception) -> str:
    text = str(error)
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or "no space left" in text.lower():
        return "not written: disk full; free space or choose another --out, then run again"
    reason = error.strerror if isinstance(error, OSError) and error.strerror else " ".join(text.split())
    return f"cannot be written ({reason}); choose another --out"
