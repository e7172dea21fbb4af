"""A Postgres that hangs: its processes are stopped, its sockets stay open."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.postgres_server import Server


@contextmanager
def silent(server: Server) -> Generator[None]:
    """Meanwhile the server takes connections and questions, and answers nothing."""
    mother = int((server.folder / "data" / "postmaster.pid").read_text().split()[0])
    processes = [mother, *_children(mother)]
    for pid in processes:
        os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        for pid in processes:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _children(mother: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{mother}/task/{mother}/children").read_text().split()]
