"""A model that sees two objects in every image and answers late or badly by a seed, and a process with a batch of it.

python -m tests.batch.shaky IMAGES WORKSPACE LOG [DAYS]    prints the summary; LOG gets a line for each question and
                                                           answer; each look at the clock may be so many days off
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Any
from zlib import crc32

from anomagent.batch.local import LocalEngine
from anomagent.batch.runner import run_batch
from anomagent.benchmark.items import gather
from anomagent.config import load_settings
from anomagent.errors import RateLimited, Refused, Unavailable
from anomagent.models.fake import FakeModel
from anomagent.models.types import Completion, Request
from tests.batch.folder import Folder
from tests.graph.world import model_of, names_of, world_of

CALLS = 11 + 5 * 2
"""Calls of the paper's schedule for two objects."""
FAULTS = {
    "refused": Refused("scripted"),
    "rate_limited": RateLimited("scripted"),
    "unavailable": Unavailable("scripted"),
    "malformed": Completion("I think that it looks fine."),
    "cut_off": Completion('{"anom', finish_reason="length"),
}


def good_model() -> FakeModel:
    """Answers every question of the world with two objects."""
    return model_of(world_of(names_of(2)))


def question_of(request: Request) -> str:
    """What makes a call what it is, on one line."""
    prompt = request.prompt
    return _question(request.image_sha256, prompt.role, prompt.step, request.object, request.slot, prompt.text)


def questions_of(rows: Iterable[Any]) -> set[str]:
    """The same of rows of the ledger: the columns of `COLUMNS`."""
    return {_question(*row) for row in rows}


COLUMNS = "image_sha256, role, step, object, slot, prompt"


def _question(sha256: str, role: str, step: str, about: str | None, slot: int, prompt: str) -> str:
    return f"{sha256} {role}.{step} {about} {slot} {crc32(prompt.encode())}"


def shaky_model(share: float, seed: int, answered: list[str]) -> FakeModel:
    """Fails at this share of the questions, each time in the same way; notes what it answered well."""
    good = good_model().rules[0].says

    def say(request: Request) -> Any:
        question = question_of(request)
        draw = Random(f"{seed} {question}")
        if draw.random() < share:
            return FAULTS[draw.choice(sorted(FAULTS))]
        answered.append(question)
        assert callable(good)
        return good(request)

    return FakeModel().on(says=say)


@dataclass
class LoggedModel(FakeModel):
    """Answers after up to 30 ms, and keeps a log that survives `kill -9`."""

    log: int = -1

    async def complete(self, request: Request) -> Completion:
        question = question_of(request)
        os.write(self.log, f"asked {question}\n".encode())
        await asyncio.sleep(Random(question).random() * 0.03)
        completion = await super().complete(request)
        os.write(self.log, f"answered {question}\n".encode())
        return completion


def main(images: str, workspace: str, log: str, days: str = "0") -> None:
    clock, draw = time.time, Random(log)
    time.time = lambda: clock() + draw.randint(-int(days), int(days)) * 86_400.0
    file = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    model = LoggedModel(good_model().rules, log=file)
    FakeModel.from_file = lambda path: model  # pyright: ignore[reportAttributeAccessIssue]
    settings = load_settings(model="fake:x", workspace=Path(workspace), concurrency=6)
    tally = asyncio.run(run_batch(settings, gather([images]), LocalEngine()))
    print(json.dumps(tally.as_dict()))
    sys.exit(tally.exit_code)


def start(folder: Folder, log: str = "log", days: int = 0) -> subprocess.Popen[str]:
    """A batch over the images in a process of its own; its clock jumps by up to so many days."""
    places = map(str, (folder.path / "images", folder.workspace, folder.path / log, days))
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "tests.batch.shaky", *places]
    return subprocess.Popen(command, cwd=Path(__file__).parents[2], text=True, stdout=pipe, stderr=pipe)


def logged(folder: Folder, log: str = "log") -> list[str]:
    """The lines of a log so far."""
    file = folder.path / log
    return file.read_text().splitlines() if file.exists() else []


def wait_until(process: subprocess.Popen[str], ready: Callable[[], bool]) -> None:
    """Wait for `ready`, at most a minute, while the process lives."""
    for _ in range(12_000):
        if ready():
            return
        assert process.poll() is None, process.communicate()
        time.sleep(0.005)
    raise AssertionError("the process did not get that far")


if __name__ == "__main__":
    main(*sys.argv[1:])
