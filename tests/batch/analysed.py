"""A small workspace with a history: a scripted model that sees the same objects in every image."""

from __future__ import annotations

import json
from pathlib import Path

from PIL import Image

from anomagent.config import Schedule, Settings, load_settings
from anomagent.graph.analyze import Analyzer


def settings_for(folder: Path, schedule: Schedule = "paper", objects: int = 2, model: str | None = None) -> Settings:
    """Settings of a workspace in `folder`, with the scripted model unless another is named."""
    script = folder / "script.json"
    seen = [{"name": f"cup {n}", "description": f"cup {n} from the left"} for n in range(objects)]
    rules = [{"role": "ObjectPerceiver", "says": [{"reply": {"objects": seen}}]}]
    script.write_text(json.dumps({"rules": rules}), encoding="utf-8")
    return load_settings(model=model or f"fake:{script}", schedule=schedule, workspace=folder / "workspace")


def draw(folder: Path, count: int, size: tuple[int, int] = (64, 48)) -> list[str]:
    """Paths of images that differ."""
    paths = [folder / f"{number}.png" for number in range(count)]
    for number, path in enumerate(paths):
        Image.new("RGB", size, (number, 0, 0)).save(path)
    return [str(path) for path in paths]


async def analyse(settings: Settings, paths: list[str]) -> str:
    """Run the images one after another, and return the hash of the configuration."""
    async with Analyzer.open(settings) as analyzer:
        for path in paths:
            await analyzer.analyze(path)
        return analyzer.configuration
