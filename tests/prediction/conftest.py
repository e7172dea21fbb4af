from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomagent.models.fake import FakeModel
from tests.models.server import Server
from tests.prediction.shelf import Shelf


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, key or file of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith(("ANOMAGENT_", "OPENAI_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def shelf(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shelf:
    model = FakeModel()
    monkeypatch.setattr(FakeModel, "from_file", lambda path: model)
    return Shelf(tmp_path, model)


@pytest.fixture(scope="session")
def _one_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(_one_server: Server) -> Server:
    _one_server.reset()
    return _one_server
