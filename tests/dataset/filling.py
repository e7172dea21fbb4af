"""Workspaces with something in them."""

import hashlib
from typing import Any

from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from tests.store.helpers import result
from tests.store.test_analyses import picture

LONG = "The chair floats above the floor. " * 60
"""About 2,000 characters."""


def begin(workspace: Workspace) -> str:
    """A new run."""
    return start_run(workspace, "run", {}, "hash")


def add(workspace: Workspace, run: str, image: str, colour: int = 0, **changes: Any) -> str:
    """Store an image of this name and its analysis, and return its content's hash."""
    sha256 = ingest_image(workspace, picture(colour), image)["sha256"]
    save_analysis(workspace, run, result(sha256, image, **changes))
    return sha256


def store_two(workspace: Workspace) -> tuple[str, str]:
    """A partial analysis of in/a.png and a good, empty one of in/b.png; the run, and the content of a.png."""
    run = begin(workspace)
    sha256 = add(workspace, run, "in/a.png")
    add(workspace, run, "in/b.png", 9, status="ok", anomalies=[])
    return run, sha256


def fill(workspace: Workspace, count: int) -> str:
    """Store `count` analyses of as many images with a long text each, in one transaction, and return their run."""
    run = start_run(workspace, "batch", {}, "hash")
    hashes = [hashlib.sha256(b"%d" % number).hexdigest() for number in range(count)]
    with workspace.writing() as connection:
        connection.executemany(
            "INSERT INTO images VALUES (?, 4, 4, 'PNG', 1, 99, 'images/x', '2026')", [(sha256,) for sha256 in hashes]
        )
        connection.executemany(
            "INSERT INTO analyses (run_id, sha256, image, thread_id, status, schedule, models, started, finished,"
            " seconds) VALUES (?, ?, ?, 't', 'ok', 'paper', '{}', '2026', '2026', 1.0)",
            [(run, sha256, f"in/{number}.png") for number, sha256 in enumerate(hashes)],
        )
        connection.execute(
            "INSERT INTO anomalies (analysis_id, position, name, phenomenon, reasoning, severity, objects, support)"
            " SELECT id, 0, 'Chair', ?, 'Gravity.', 10, '[]', 1 FROM analyses",
            (LONG,),
        )
        connection.execute("INSERT INTO reports SELECT id, 0, 'chair', ? FROM analyses", (LONG,))
    return run
