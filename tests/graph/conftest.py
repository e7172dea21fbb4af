from __future__ import annotations

import os
from pathlib import Path

import pytest
from PIL import Image

from anomagent.models.fake import FakeModel
from tests.graph.place import Place
from tests.graph.world import model_of, names_of, world_of


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.startswith("ANOMAGENT_")]:
        monkeypatch.delenv(name)
    image = tmp_path / "a.png"
    Image.new("RGB", (48, 32), "teal").save(image)
    world = world_of(names_of(3))
    model = model_of(world)
    monkeypatch.setattr(FakeModel, "from_file", lambda path: model)
    return Place(image, tmp_path / "workspace", world, model)
