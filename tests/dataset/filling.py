"""Workspaces with something in them."""

import hashlib
from pathlib import Path
from typing import Any

from anomagent.dataset.export import Choices, Exported, Shape, export
from anomagent.dataset.stages import Stage
from anomagent.state.reviews import Answer, Verdict
from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from anomagent.store.reviews import append_answers
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


def export_all(workspace: Workspace, out: Path, content: Shape | Stage = "released", **choices: Any) -> Exported:
    """Write all candidates, reviewed or not."""
    return export(workspace, out, content, Choices(anomalies="all", **choices))


def anomaly(name: str, severity: int = 10) -> dict[str, Any]:
    """An anomaly as an analysis has it."""
    texts = {"name": name, "phenomenon": f"The {name} is wrong.", "reasoning": f"No {name} is so."}
    return {**texts, "severity": severity, "objects": [name], "support": 1}


def judge(workspace: Workspace, name: str, verdict: Verdict, annotator: str = "ann") -> None:
    """An answer about every candidate of this name."""
    with workspace.reading() as connection:
        rows = connection.execute("SELECT id FROM anomalies WHERE name = ? ORDER BY id", [name]).fetchall()
    assert rows
    append_answers(
        workspace,
        [
            Answer(id=f"{annotator}-{row}-{verdict}".lower(), anomaly=row, annotator=annotator, verdict=verdict)
            for (row,) in rows
        ],
    )
