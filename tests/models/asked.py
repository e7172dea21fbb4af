"""One question as a node would ask it, and an image to ask it about."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Literal

from PIL import Image

from anomagent.models.types import Request
from anomagent.prompts.base import Prompt, Reply
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef


class Sighting(Reply):
    colour: Literal["red", "green"]
    count: int


GOOD = '{"colour": "red", "count": 2}'
PROMPT = Prompt("SceneScanner", "scan", "What do you see?", Sighting, system="Look closely.")
CONTEXT = AnalysisContext(model="openai:gpt-4o")


def image_in(folder: Path, colour: str = "red") -> ImageRef:
    path = folder / f"{colour}.png"
    Image.new("RGB", (40, 30), colour).save(path)
    return ImageRef(sha256=hashlib.sha256(path.read_bytes()).hexdigest(), path=str(path), width=40, height=30)


def request_about(image: ImageRef, max_tokens: int = 100) -> Request:
    return Request(PROMPT, image["path"], image["sha256"], 10**6, max_tokens, None)
