"""Signals to a real process: once to end in good order, twice to end at once; both can be resumed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.batch.folder import Folder

ROOT = Path(__file__).parents[2]
IMAGES, IN_WORK = 12, 4
"""With two places for calls: two images whose calls are in flight, and two that follow."""


@pytest.fixture
def waiting(folder: Folder) -> Folder:
    folder.draw(*(f"images/{number}.png" for number in range(IMAGES)))
    (folder.path / "asked").mkdir()
    return folder


async def test_once_finishes_what_is_in_work(waiting: Folder) -> None:
    with batch(waiting) as process:
        process.send_signal(signal.SIGTERM)
        assert "stopping: images in work are finished" in read_line(process)
        (waiting.path / "go").touch()
        out, err = process.communicate(timeout=60)
    summary = json.loads(out)
    assert (process.returncode, summary["stopped"]) == (130, "interrupted")
    assert (summary["ok"], summary["done"], summary["left"]) == (IN_WORK, IN_WORK, IMAGES - IN_WORK)
    assert err == "anomagent: interrupted; finished calls are kept, run the same command again to resume\n"
    await resumes(waiting, calls=IMAGES - IN_WORK)


async def test_twice_stops_at_once(waiting: Folder) -> None:
    with batch(waiting, schedule="paper") as process:
        process.send_signal(signal.SIGINT)
        assert "stopping: images in work are finished" in read_line(process)
        process.send_signal(signal.SIGINT)
        assert "stopping at once" in read_line(process)
        out, err = process.communicate(timeout=60)
    summary = json.loads(out)
    assert (process.returncode, summary["stopped"]) == (130, "interrupted")
    assert (summary["done"], summary["left"]) == (0, IMAGES)
    assert summary["spent_usd"] == 0.0  # the scripted model is free
    assert err.count("\n") == 1
    kept = len(waiting.ledger())
    assert kept > 0
    tally = await waiting.run(schedule="paper")
    assert (tally.ok, tally.exit_code) == (IMAGES, 0)
    assert waiting.sent() == len(waiting.ledger()) - kept
    assert set(waiting.ledger().values()) == {1}


def test_a_job_in_the_background_goes_on_after_an_interrupt(waiting: Folder) -> None:
    with batch(waiting, interrupts=signal.SIG_IGN) as process:
        process.send_signal(signal.SIGINT)
        (waiting.path / "go").touch()
        out, _ = process.communicate(timeout=60)
    assert (process.returncode, json.loads(out)["ok"]) == (0, IMAGES)


def test_two_processes_at_once_pay_once(waiting: Folder) -> None:
    (waiting.path / "go").touch()
    with batch(waiting) as one, batch(waiting) as other:
        summaries = [json.loads(process.communicate(timeout=60)[0]) for process in (one, other)]
    assert [summary["ok"] + summary["already_done"] for summary in summaries] == [IMAGES, IMAGES]
    assert sum(summary["usage"]["calls"] for summary in summaries) == len(waiting.ledger()) == IMAGES
    assert set(waiting.ledger().values()) == {1}


async def resumes(folder: Folder, calls: int) -> None:
    """The same batch in this process does the rest, and no finished call again."""
    tally = await folder.run()
    assert (tally.ok + tally.already_done, tally.left, tally.exit_code) == (IMAGES, 0, 0)
    assert folder.sent() == calls
    assert (len(folder.ledger()), set(folder.ledger().values())) == (IMAGES, {1})


@contextmanager
def batch(
    folder: Folder, interrupts: signal.Handlers = signal.SIG_DFL, schedule: str = "direct"
) -> Generator[subprocess.Popen[str]]:
    """A batch in a process of its own, as soon as its first calls are in flight."""
    arguments = ["batch", "images", "--model=fake:x", f"--schedule={schedule}", "--concurrency=2", "--json"]
    # A job that a script started in the background ignores interrupts, and so would its children.
    with subprocess.Popen(
        [sys.executable, "-m", "tests.batch.child", *arguments, "--workspace=workspace"],
        cwd=folder.path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, interrupts),
    ) as process:
        try:
            wait_until(process, lambda: len(list((folder.path / "asked").iterdir())) >= 2)
            yield process
        finally:
            process.kill()


def read_line(process: subprocess.Popen[str]) -> str:
    assert process.stderr
    return process.stderr.readline()


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Wait for `ready`, at most a minute, while the process lives."""
    for _ in range(3_000):
        if ready():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("the process did not get that far")
