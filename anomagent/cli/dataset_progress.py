"""How far a step of a data set's making is: a bar on a terminal, now and then a line elsewhere."""

import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from typing import Final

from anomagent.cli.console import note

_SECONDS: Final = 15.0


@contextmanager
def progress_of(what: str, total: int | None) -> Generator[Callable[[int], None]]:
    """A function that is told how many are done; `total` is how many there are, where that is known."""
    if sys.stderr.isatty():
        from rich.console import Console
        from rich.progress import Progress

        with Progress(console=Console(stderr=True), transient=True) as bar:
            task = bar.add_task(what, total=total)
            yield lambda done: bar.update(task, completed=done)
        return
    last = time.monotonic()

    def say(done: int) -> None:
        nonlocal last
        if time.monotonic() - last > _SECONDS:
            last = time.monotonic()
            note(f"{what}: {done:,}" + (f" of {total:,}" if total else ""))

    yield say
