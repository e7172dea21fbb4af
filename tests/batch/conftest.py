from __future__ import annotations

import os
from pathlib import Path

import pytest

from anomagent.models.fake import FakeModel
from tests.batch.folder import Folder


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting, key or file of the machine reaches a test."""
    for name in list(os.environ):
        if name.startswith("ANOMAGENT_") or name.endswith("_API_KEY"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Folder:
    model = FakeModel()
    monkeypatch.setattr(FakeModel, "from_file", lambda path: model)
    return Folder(tmp_path, model)
