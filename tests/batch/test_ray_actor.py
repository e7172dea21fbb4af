"""A worker without a cluster around it: what it replies, and what it leaves on its node."""

from __future__ import annotations

import asyncio
import os
import sqlite3
import tempfile
from contextlib import closing
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent import __version__
from anomagent.batch import ray_actor
from anomagent.batch.ray_actor import Hand, scratch_of
from anomagent.config import load_settings
from anomagent.errors import ConfigurationError
from anomagent.graph.analyze import Analyzer
from anomagent.models.fake import FakeModel
from anomagent.store import Workspace


@pytest.fixture
def node(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder for temporary files of a node."""
    monkeypatch.setattr(FakeModel, "from_file", lambda path: FakeModel())
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return tmp_path


def hand() -> Hand:
    settings = load_settings(model="fake:x", schedule="direct", workspace="anomagent-1f")
    box = asyncio.get_running_loop().create_future()
    box.set_result(settings.model_dump())
    return Hand([box], "anomagent-1f-0")


def picture(shade: int = 0) -> bytes:
    file = BytesIO()
    Image.new("RGB", (32, 24), (shade, 90, 10)).save(file, "PNG")
    return file.getvalue()


async def test_it_says_who_it_is(node: Path) -> None:
    worker = hand()
    greeting = await worker.greet()
    await worker.close()

    assert (greeting.version, greeting.models) == (__version__, {"DirectDetector": "fake"})


async def test_it_replies_with_the_result_and_leaves_no_image(node: Path) -> None:
    worker = hand()
    first, second = await worker.analyze(picture(1)), await worker.analyze(picture(2))
    await worker.close()

    assert first.analysis is not None
    assert first.result["status"] == first.analysis.status == "ok"
    assert first.result["sha256"] == first.analysis.sha256 != second.result["sha256"]
    assert [event.kind for event in first.events] == [event.kind for event in second.events] == ["sent", "answered"]
    assert list((node / "anomagent-1f" / "images").rglob("*.png")) == []


async def test_its_store_does_not_grow(node: Path) -> None:
    worker = hand()
    replies = [await worker.analyze(picture(shade)) for shade in (1, 2, 1)]
    await worker.close()

    assert [reply.result["status"] for reply in replies] == ["ok"] * 3
    with closing(sqlite3.connect(node / "anomagent-1f" / "anomagent.db")) as database:
        for table in ("analyses", "calls", "findings", "anomalies", "candidates", "analysis_calls"):
            assert database.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,), table
        assert database.execute("PRAGMA foreign_key_check").fetchall() == []


async def test_a_fault_of_ours_comes_back_as_a_failed_result(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def stumble(self: Analyzer, path: Any) -> None:
        raise KeyError("oops")

    monkeypatch.setattr(Analyzer, "analyze", stumble)
    worker = hand()
    reply = await worker.analyze(picture())
    await worker.close()

    assert reply.fault.startswith("Traceback")
    assert reply.fault.endswith("KeyError: 'oops'")
    assert reply.analysis is None
    assert reply.result["status"] == "failed"
    assert [failure["error"] for failure in reply.result["failures"]] == ["internal"]


async def test_the_last_one_of_a_node_sweeps(node: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ray_actor, "_SWEEP_LOOKS", 1)
    first, second = hand(), hand()
    for worker in (first, second):
        await worker.greet()
    await first.close()
    await first.sweep()
    assert (node / "anomagent-1f" / "anomagent.db").exists()

    await second.close()
    await second.sweep()
    assert not (node / "anomagent-1f").exists()


async def test_a_folder_of_somebody_else_is_not_used(node: Path) -> None:
    (node / "elsewhere").mkdir()
    os.symlink(node / "elsewhere", node / "anomagent-1f")

    with pytest.raises(ConfigurationError, match="belongs to somebody else"):
        await hand().greet()


async def test_an_opened_folder_is_for_its_user_alone(node: Path) -> None:
    worker = hand()
    await worker.greet()
    await worker.close()

    assert (node / "anomagent-1f").stat().st_mode & 0o777 == 0o700


def test_each_workspace_has_a_scratch_folder_of_its_own(tmp_path: Path) -> None:
    one, two = Workspace.open(tmp_path / "one"), Workspace.open(tmp_path / "two")

    assert scratch_of(one.path) == scratch_of(Workspace.open(tmp_path / "one").path)
    assert scratch_of(one.path) != scratch_of(two.path)
    assert scratch_of(one.path).name.startswith("anomagent-")
