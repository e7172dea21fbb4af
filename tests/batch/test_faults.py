"""What goes wrong in a long batch. After each: no finished call is repeated, nothing is lost, the counts are right."""

from __future__ import annotations

import json
import socket
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import pytest

from anomagent.dataset.export import Choices, export
from anomagent.models.types import Request
from anomagent.store import Workspace
from tests.batch.folder import Folder, read
from tests.batch.shaky import (
    CALLS,
    COLUMNS,
    FAULTS,
    good_model,
    logged,
    question_of,
    questions_of,
    shaky_model,
    start,
    wait_until,
)
from tests.models.server import HANGS, Asked, Reaction, Server, says

NOTHING = says('{"anomalies": []}')
"""A good answer to the one question of `direct`."""


def good_questions(folder: Folder) -> set[str]:
    """What the ledger has good answers to."""
    with Workspace.open(folder.workspace).reading() as connection:
        return questions_of(connection.execute(f"SELECT {COLUMNS} FROM calls WHERE status = 'good'"))


ALL = Choices(anomalies="all", overwrite=True)


def check_whole(folder: Folder, images: int, calls: int | None = CALLS) -> None:
    """Every image is ok, every good answer was recorded once (so many an image), an export has all."""
    ledger = folder.ledger()
    assert set(ledger.values()) == {1}
    assert calls is None or len(ledger) == images * calls
    finished = Counter(image for image, status in folder.statuses() if status == "ok")
    assert len(finished) == images
    counts = export(Workspace.open(folder.workspace), folder.path / "out.json", choices=ALL)
    assert (counts.images, counts.failed, counts.partial, counts.running) == (images, 0, 0, 0)


@pytest.mark.slow
def test_kill_9_at_20_random_moments(folder: Folder) -> None:
    images, draw = 16, Random(9)
    folder.draw(*(f"images/{number}.png" for number in range(images)))
    for _ in range(20):
        finished, seen = good_questions(folder), len(logged(folder))
        further = draw.randrange(20)  # 20 times at most 19 questions and answers of 2 * 16 * 21 = 672
        process = start(folder)
        try:
            wait_until(process, lambda least=seen + further: len(logged(folder)) >= least)
            time.sleep(draw.random() * 0.02)
        finally:
            process.kill()
            process.communicate()
        assert process.returncode == -9
        asked = {line.removeprefix("asked ") for line in logged(folder)[seen:] if line.startswith("asked ")}
        assert not asked & finished, "a finished call was repeated"

    finished, seen = good_questions(folder), len(logged(folder))
    assert 0 < len(finished) < images * CALLS
    process = start(folder)
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err
    asked = [line.removeprefix("asked ") for line in logged(folder)[seen:] if line.startswith("asked ")]
    assert len(asked) == len(set(asked)) == images * CALLS - len(finished)
    summary = json.loads(out)
    assert (summary["done"] + summary["already_done"], summary["left"], summary["failed"]) == (images, 0, 0)
    check_whole(folder, images)
    assert len([image for image, status in folder.statuses() if status == "ok"]) == images
    assert set(read(folder.workspace, "SELECT calls + ledger_hits FROM analyses WHERE status = 'ok'")) == {(CALLS,)}


async def test_a_third_of_the_answers_fail_in_mixed_ways(folder: Folder) -> None:
    images = 10
    folder.draw(*(f"images/{number}.png" for number in range(images)))
    answered: list[str] = []
    folder.model.rules = shaky_model(0.3, 4, answered).rules
    how: dict[str, Any] = {"schedule": "paper", "retries": 0, "max_tokens": 16, "max_tokens_cap": 32}

    first = await folder.run(**how)

    assert (first.done, first.left, first.exit_code) == (images, 0, 3)
    statuses = folder.statuses()
    assert Counter(status for _, status in statuses) == {"partial": first.partial, "failed": first.failed}
    assert min(first.partial, first.failed) > 0
    assert {error for (error,) in folder.read("SELECT DISTINCT error FROM failures")} == set(FAULTS)
    assert folder.read("SELECT count(DISTINCT analysis_id) FROM failures") == [(images,)], "each says why"
    assert good_questions(folder) == set(answered)
    counts = export(Workspace.open(folder.workspace), folder.path / "first.json", choices=ALL)
    assert (counts.images, counts.partial, counts.failed) == (first.partial, first.partial, first.failed)

    # What is left alone stays as it is; then what failed is asked again, and only that.
    folder.sent()
    again = await folder.run(**how)
    assert (again.failed_earlier, again.done, folder.sent()) == (images, 0, 0)
    folder.model.rules = good_model().rules
    second = await folder.run(which="failed", **how)
    assert (second.ok, second.left, second.exit_code) == (images, 0, 0)
    assert not {question_of(request) for request in folder.model.requests} & set(answered)
    # Steps that build on what had failed were asked another question then: more answers than one batch needs.
    check_whole(folder, images, calls=None)


@pytest.mark.slow
async def test_a_server_that_hangs(folder: Folder) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(6)))
    hanging: set[str] = set()

    def script(asked: Asked) -> Reaction:
        if len(hanging) < 2:
            hanging.add(asked.image)
        return HANGS if asked.image in hanging else NOTHING

    with Server() as server:
        server.script = script
        how: dict[str, Any] = {"model": "openai:m", "base_url": server.url, "timeout": 4.0, "retries": 0}
        first = await folder.run(**how)
        assert (first.ok, first.failed, first.left) == (4, 2, 0)
        assert {failure["error"] for failure in first.failures} == {"unavailable"}

        server.script = [NOTHING]
        second = await folder.run(which="failed", **how)
        assert (second.ok, second.already_done, second.left) == (2, 4, 0)
        asked = Counter(asked.image for asked in server.asked)
        assert {image: count for image, count in asked.items() if count > 1} == dict.fromkeys(hanging, 2)
    check_whole(folder, 6, calls=1)


@pytest.mark.slow
async def test_a_server_that_is_away_for_a_while(folder: Folder) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(4)))
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    server = Server()
    server.script = [NOTHING]
    server._server.config.port = port
    back = threading.Timer(30.0, server.__enter__)
    back.start()
    try:
        url = f"http://127.0.0.1:{port}/v1"
        tally = await folder.run(model="openai:m", base_url=url, concurrency=2)
    finally:
        back.join()
        server.__exit__()
    assert (tally.ok, tally.failed, tally.left, len(server.asked)) == (4, 0, 0, 4)
    assert tally.usage.calls > 4, "the tries while it was away are counted"
    check_whole(folder, 4, calls=1)


@pytest.mark.slow
@pytest.mark.parametrize("days", [0, 2], ids=["", "clocks jump"])
def test_two_batches_at_once(folder: Folder, days: int) -> None:
    images = 6
    folder.draw(*(f"images/{number}.png" for number in range(images)))
    processes = {log: start(folder, log, days) for log in ("one", "two")}
    ends = {log: process.communicate(timeout=300) for log, process in processes.items()}
    assert [process.returncode for process in processes.values()] == [0, 0], ends
    for out, _ in ends.values():
        summary = json.loads(out)
        assert (summary["ok"] + summary["already_done"], summary["left"]) == (images, 0)
    answers = Counter(line for log in ends for line in logged(folder, log) if line.startswith("answered"))
    assert (len(answers), set(answers.values())) == (images * CALLS, {1})
    check_whole(folder, images)


async def test_a_worker_that_raises(folder: Folder) -> None:
    folder.draw(*(f"images/{number}.png" for number in range(4)))
    good = good_model().rules[0].says
    broken: set[str] = set()

    def say(request: Request) -> Any:
        assert callable(good)
        if request.prompt.role == "AnomalyFormatter" and (not broken or request.image_sha256 in broken):
            broken.add(request.image_sha256)
            raise ZeroDivisionError("a fault of ours")
        return good(request)

    folder.model.on(says=say)
    first = await folder.run(schedule="paper")

    assert (first.ok, first.failed, first.left, first.exit_code) == (3, 1, 0, 1)
    assert isinstance(first.fault, ZeroDivisionError)
    assert Counter(status for _, status in folder.statuses()) == {"ok": 3, "failed": 1}
    finished = good_questions(folder)
    assert len(finished) == 4 * CALLS - 1

    folder.sent()
    folder.model.rules = good_model().rules
    second = await folder.run(which="failed", schedule="paper")
    assert (second.ok, second.already_done, second.left, second.exit_code) == (1, 3, 0, 0)
    assert folder.sent() == 1
    check_whole(folder, 4)


@pytest.fixture
def small_disk(folder: Folder) -> Iterator[Callable[[str], None]]:
    """The workspace on a disk of 4 MB; call it to make the disk larger."""
    folder.workspace.mkdir()

    def mount(options: str) -> None:
        command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(folder.workspace)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(f"NOT TESTED: a full disk; mounting one needs Linux and root ({done.stderr.strip()})")

    mount("size=4m")
    try:
        yield lambda size: mount(f"remount,size={size}")
    finally:
        # Lazily: where a test failed, something may still hold a file, and a mount left behind would spoil later tests.
        subprocess.run(["umount", "--lazy", str(folder.workspace)], check=True)


@pytest.mark.slow
async def test_a_disk_that_fills(folder: Folder, small_disk: Callable[[str], None]) -> None:
    images = 30
    folder.draw(*(f"images/{number}.png" for number in range(images)))
    long = {"name": "Chair", "phenomenon": "It floats. " * 10_000, "reasoning": "Gravity.", "severity": 10}
    folder.model.on(says={"anomalies": [{**long, "objects": []}]})

    # 30 images with several times 110 kB each (the answer, the result, the checkpoints) are more than 4 MB.
    first = await folder.run(concurrency=2)
    assert (first.stopped, first.exit_code, first.failed) == ("disk", 3, 0)
    assert 0 < first.left < images
    assert any("disk full" in line for line in folder.said)

    small_disk("64m")
    finished = good_questions(folder)
    assert len(finished) >= first.ok
    folder.sent()
    second = await folder.run(concurrency=2)
    assert (second.done + second.already_done, second.left, second.exit_code) == (images, 0, 0), folder.said
    assert second.already_done >= first.ok
    assert not {question_of(request) for request in folder.model.requests} & finished
    check_whole(folder, images, calls=1)
