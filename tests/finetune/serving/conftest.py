from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomagent.finetune.serving import probes
from anomagent.models.embedded import DIRECTORY
from tests.finetune.serving.made import make_adapter
from tests.models.server import Server
from tests.models.tiny import save_tiny


@pytest.fixture(autouse=True)
def _alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """No key and no address of the machine reaches a test; answers are short, which tests nothing less."""
    monkeypatch.setattr(probes, "TOKENS", 10)
    for name in os.environ:
        if name.startswith(("ANOMAGENT_", "OPENAI_")) or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def _made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Bases and adapters, made once; tests work on copies."""
    folder = tmp_path_factory.mktemp("serving")
    make_adapter(save_tiny("qwen2_5_vl", folder / "base"), folder / "adapter")
    make_adapter(DIRECTORY, folder / "embedded", layers="0|4", strength=0.05)
    return folder


@pytest.fixture
def base(_made: Path, tmp_path: Path) -> Path:
    """A tiny random Qwen2.5-VL, a directory that a test may break."""
    return shutil.copytree(_made / "base", tmp_path / "base")


@pytest.fixture
def adapter(_made: Path, base: Path, tmp_path: Path) -> Path:
    """An adapter of `base` that changes its answers, a directory that a test may break."""
    from tests.finetune.serving.made import rewrite_json

    copy = shutil.copytree(_made / "adapter", tmp_path / "run" / "adapter")
    rewrite_json(copy / "adapter_config.json", base_model_name_or_path=str(base))
    return copy


@pytest.fixture(scope="session")
def embedded_adapter(_made: Path) -> Path:
    """An adapter of the embedded model that changes its answers and leaves them words. Not to be changed."""
    return _made / "embedded"


@pytest.fixture(scope="session")
def _one_server() -> Iterator[Server]:
    with Server() as server:
        yield server


@pytest.fixture
def server(_one_server: Server) -> Server:
    _one_server.reset()
    return _one_server
