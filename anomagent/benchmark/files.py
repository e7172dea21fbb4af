"""Files that appear whole or not at all."""

import os
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path


@contextmanager
def whole_file(file: Path) -> Generator[Path]:
    """A path to write to; it takes the place of `file` once the block ends without an error, and is gone otherwise.

    Raises `OSError` where the place cannot be taken: each caller says in its own words what to do then.
    """
    unfinished = file.with_name(f".{file.name}.{os.getpid()}.part")
    try:
        yield unfinished
        unfinished.replace(file)
    finally:
        with suppress(OSError):  # it took its place, or never came to be
            unfinished.unlink()
