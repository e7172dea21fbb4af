"""Real processes on one workspace: killed, or two at once."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from anomagent import Analysis
from tests.graph.place import WHOLE, Place

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("blocked", "finished"),
    [
        # Three perceptions and three scans.
        (("ObjectPerceiver.merge",), 6),
        # All but the chair's last three steps, three pools and the formatting.
        (("RelationReasoner.judge", "chair"), WHOLE - 3 - 3 - 1),
    ],
    ids=["before the objects", "within an object"],
)
async def test_kill_9_costs_the_call_in_flight_and_no_other(
    place: Place, blocked: tuple[str, ...], finished: int
) -> None:
    process = start(place, *blocked)
    try:
        wait_until(process, lambda: rows_of(place) >= finished)
    finally:
        process.send_signal(signal.SIGKILL)
        process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert rows_of(place) == finished

    analysis = await place.analyze()
    assert analysis.status == "ok"
    assert place.sent().total() == WHOLE - finished
    keys = [key for key, _ in place.ledger()]
    assert len(keys) == len(set(keys)) == WHOLE
    assert analysis.usage.calls + analysis.usage.ledger_hits == WHOLE


def test_two_processes_pay_once(place: Place) -> None:
    processes = [start(place), start(place)]
    answers = [process.communicate(timeout=120) for process in processes]
    assert [process.returncode for process in processes] == [0, 0], answers
    analyses = [Analysis.model_validate_json(out) for out, _ in answers]
    assert sum(analysis.usage.calls for analysis in analyses) == len(place.ledger()) == WHOLE
    assert analyses[0].anomalies == analyses[1].anomalies


def start(place: Place, *blocked: str) -> subprocess.Popen[str]:
    """Analyse the image in a process of its own; the question `blocked` is never answered there."""
    command = [sys.executable, "-m", "tests.graph.child", str(place.image), str(place.workspace), *blocked]
    return subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def rows_of(place: Place) -> int:
    """Finished requests in the ledger; 0 while there is none yet."""
    try:
        return len(place.ledger())
    except sqlite3.OperationalError:
        return 0


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Wait for `ready`, at most two minutes, while the process lives."""
    for _ in range(1_200):
        if ready():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.1)
    raise AssertionError("the process did not get that far")
