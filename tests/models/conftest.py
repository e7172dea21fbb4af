from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from anomagent.state.findings import ImageRef
from tests.models.server import Server


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no address of the machine reaches a test."""
    for name in os.environ:
        if name.startswith(("ANOMAGENT_", "OPENAI_", "LANGSMITH_", "LANGCHAIN_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _one_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(_one_server: Server) -> Server:
    _one_server.reset()
    return _one_server


@pytest.fixture
def image(tmp_path: Path) -> ImageRef:
    path = tmp_path / "image.png"
    Image.linear_gradient("L").save(path)
    return ImageRef(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), path=str(path), width=256, height=256)
