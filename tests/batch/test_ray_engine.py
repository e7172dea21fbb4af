"""The driver of a cluster that never comes: what a user can do about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from PIL import Image

from anomagent.batch import ray_engine
from anomagent.batch.configuration import Gate
from anomagent.batch.plan import Plan
from anomagent.batch.ray_engine import RayEngine
from anomagent.batch.runner import run_batch
from anomagent.batch.stop import Stop
from anomagent.batch.tally import Tally
from anomagent.benchmark.items import gather
from anomagent.config import load_settings
from anomagent.errors import ConfigurationError

URL = "postgresql://ann@db/x"


class Nobody:
    """A crew without a worker."""

    async def meet(self) -> None:
        await asyncio.Event().wait()


@asynccontextmanager
async def nobody(*_: Any) -> AsyncGenerator[Nobody]:
    yield Nobody()


async def test_waiting_for_a_busy_cluster_ends_when_the_user_wants(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "_postgres", nobody)
    monkeypatch.setattr(ray_engine, "_crew", nobody)
    stop = Stop()
    plan = Plan([], Gate(), "missing", stop, Tally(0), None)
    settings = load_settings(workspace=tmp_path / "workspace", ledger=URL, checkpoints=URL)
    working = asyncio.create_task(RayEngine().analyze(settings, plan, lambda job, outcome: None, None, stop, print))
    await asyncio.sleep(0.05)
    assert not working.done()

    stop.now("interrupted")
    await working

    assert not plan.begun


async def test_nothing_is_begun_without_shared_databases(tmp_path: Path) -> None:
    stop = Stop()
    plan = Plan([], Gate(), "missing", stop, Tally(0), None)
    settings = load_settings(workspace=tmp_path / "workspace")

    with pytest.raises(ConfigurationError, match="`ledger` must be a Postgres"):
        await RayEngine().analyze(settings, plan, lambda job, outcome: None, None, stop, print)
    assert not (tmp_path / "workspace").exists()


class Tired:
    """A crew whose workers can use their model no more after the first image."""

    models: ClassVar = {"DirectDetector": "fake"}

    async def meet(self) -> None:
        pass

    async def analyze(self, image: bytes) -> None:
        raise ConfigurationError("fake: no API key")


@asynccontextmanager
async def tired(*_: Any) -> AsyncGenerator[Tired]:
    yield Tired()


async def test_models_that_nobody_can_use_any_more_end_the_batch_with_a_tally(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ray_engine, "_postgres", nobody)
    monkeypatch.setattr(ray_engine, "_crew", tired)
    Image.new("RGB", (32, 24)).save(tmp_path / "a.png")
    settings = load_settings(
        workspace=tmp_path / "workspace", ledger=URL, checkpoints=URL, schedule="direct", model="fake:x"
    )
    said: list[str] = []
    tally = await run_batch(settings, gather([str(tmp_path / "a.png")]), RayEngine(), say=said.append)

    assert (tally.exit_code, tally.done) == (3, 0)
    assert said == ["fake: no API key; nothing more is sent"]
