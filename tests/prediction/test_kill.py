"""`kill -9` in the middle of predictions: what was answered is never asked again, and the file comes out whole."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from random import Random

import pytest

from anomagent.cli import main
from anomagent.models.fake import FakeModel
from anomagent.models.types import Completion, Request
from tests.batch.shaky import wait_until
from tests.prediction.shelf import LISTED, Shelf

ROOT = Path(__file__).parents[2]
IMAGES = 24


class Slow(FakeModel):
    """Answers after up to 30 ms, and keeps a log that survives `kill -9`."""

    async def complete(self, request: Request) -> Completion:
        question = f"{request.image_sha256} {request.prompt.step}"
        _log(f"asked {question}")
        await asyncio.sleep(Random(question).random() * 0.03)
        completion = Completion("Yes." if request.prompt.step == "decide" else LISTED)
        _log(f"answered {question}")
        return completion


def _log(line: str) -> None:
    with open("log", "ab", buffering=0) as file:
        file.write(f"{line}\n".encode())


def start(shelf: Shelf) -> subprocess.Popen[str]:
    """Predictions in a process of their own."""
    arguments = ["predict", "images", "--model=fake:x", "--task=deepfake", "--concurrency=4", "--out=out.jsonl"]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.prediction.test_kill", *arguments, "--workspace=workspace"],
        cwd=shelf.path,
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def logged(shelf: Shelf) -> list[str]:
    file = shelf.path / "log"
    return file.read_text().splitlines() if file.exists() else []


def answered(shelf: Shelf) -> set[tuple[str, str]]:
    """What the ledger has good answers to."""
    from tests.batch.folder import read

    if not (shelf.workspace / "anomagent.db").exists():
        return set()
    return set(read(shelf.workspace, "SELECT image_sha256, step FROM calls WHERE status = 'good'"))


@pytest.mark.slow
def test_kill_9_at_random_moments(shelf: Shelf) -> None:
    shelf.draw(*(f"images/{number:02}.png" for number in range(IMAGES)))
    draw = Random(7)
    for _ in range(8):
        finished, seen = answered(shelf), len(logged(shelf))
        further = draw.randrange(1, 10)  # 8 times at most 9 of 2 * 24 * 2 = 96 lines
        process = start(shelf)
        try:
            wait_until(process, lambda least=seen + further: len(logged(shelf)) >= least)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == -signal.SIGKILL
        asked = {tuple(line.split()[1:]) for line in logged(shelf)[seen:] if line.startswith("asked")}
        assert not asked & finished, "a finished call was repeated"
    finished, seen = answered(shelf), len(logged(shelf))
    assert 0 < len(finished) < 2 * IMAGES
    process = start(shelf)
    out, err = process.communicate(timeout=120)
    assert process.returncode == 0, err
    assert f"{IMAGES} images, {2 * IMAGES} anomalies" in out
    asked = Counter(tuple(line.split()[1:]) for line in logged(shelf)[seen:] if line.startswith("asked"))
    assert len(asked) == 2 * IMAGES - len(finished)
    assert set(asked.values()) == {1}
    assert len(shelf.written().images) == IMAGES


@pytest.mark.slow
def test_an_interrupt_finishes_what_is_in_work_and_writes_the_file(shelf: Shelf) -> None:
    shelf.draw(*(f"images/{number:02}.png" for number in range(IMAGES)))
    process = start(shelf)
    try:
        wait_until(process, lambda: len(logged(shelf)) >= 6)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=60)
    finally:
        process.kill()
    assert process.returncode == 130, err
    assert "stopped: interrupted" in out
    done = shelf.written().images
    assert 0 < len(done) < IMAGES
    assert all(image.answer == "Yes." for image in done.values())
    assert len(answered(shelf)) == 2 * len(done)


if __name__ == "__main__":
    FakeModel.from_file = lambda path: Slow()  # pyright: ignore[reportAttributeAccessIssue]
    main()
