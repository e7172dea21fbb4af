"""Folders that appear whole or not at all, and how many checkpoints stay."""

import os
import re
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from anomagent.errors import ConfigurationError

_CHECKPOINT = re.compile(r"checkpoint-(\d+)")


@contextmanager
def whole_folder(folder: Path) -> Generator[Path]:
    """A new folder to write to; it takes the place of `folder` once the block ends well, and is gone otherwise."""
    unfinished = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    try:
        unfinished.mkdir(parents=True)
        yield unfinished
        settle(unfinished, folder)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)


def settle(unfinished: Path, folder: Path) -> None:
    """Put a finished folder in the place of an older one, its files readable as any new file is."""
    mask = os.umask(0)
    os.umask(mask)
    for file in unfinished.rglob("*"):
        if file.is_file():
            file.chmod(0o666 & ~mask)  # some libraries write for their user alone
            with file.open("rb") as stream:
                os.fsync(stream.fileno())  # a full disk may say so only now
    shutil.rmtree(folder, ignore_errors=True)
    unfinished.rename(folder)


def checkpoints(run: Path) -> list[Path]:
    """The whole checkpoints of a run, the latest last."""
    numbered = [(int(hit[1]), path) for path in run.glob("checkpoint-*") if (hit := _CHECKPOINT.fullmatch(path.name))]
    return [path for _, path in sorted(numbered)]


def keep_latest(run: Path, count: int) -> None:
    """Remove all but the latest checkpoints."""
    for old in checkpoints(run)[:-count]:
        shutil.rmtree(old, ignore_errors=True)


def check_room(run: Path, needed: int) -> None:
    """Raises `ConfigurationError` where the disk has less than `needed` bytes free."""
    place = next(folder for folder in (run, *run.parents) if folder.exists())
    free = shutil.disk_usage(place).free
    if free < needed:
        raise ConfigurationError(
            f"{run}: the run will write about {needed / 1e6:,.0f} MB and {place} has {free / 1e6:,.0f} MB free;"
            " make room or choose another --out"
        )
