"""Images, annotations and workspaces to make training data from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.finetune.conversations import Choices
from anomagent.finetune.data import make_data
from anomagent.finetune.from_files import Pair
from anomagent.finetune.order import Order
from anomagent.finetune.tokens import TokenCounter
from anomagent.state.findings import Anomaly

MODEL = str(Path(__file__).parents[2] / "anomagent" / "models" / "embedded_weights")


@cache
def counter(min_pixels: int = 50_176, max_pixels: int = 614_656) -> TokenCounter:
    """The embedded model's tokenizer and image processor."""
    return TokenCounter.load(MODEL, min_pixels, max_pixels)


def anomaly(name: str, severity: int = 10) -> Anomaly:
    return Anomaly(
        name=name,
        phenomenon=f"The {name} at the left edge is bent twice.",
        reasoning=f"No {name} bends like this.",
        severity=severity,
    )


def entry(name: str, **changes: Any) -> dict[str, Any]:
    return anomaly(name).model_dump(include={"name", "phenomenon", "reasoning", "severity"}) | changes


def save_image(file: Path, shade: int, size: tuple[int, int] = (64, 48)) -> Path:
    """An image of its own; equal shades and sizes give equal bytes."""
    file.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (shade % 256, shade // 256, 7)).save(file)
    return file


def annotated(folder: Path, said: Mapping[str, Sequence[dict[str, Any]] | str], name: str = "annotations") -> Pair:
    """Annotations (or descriptions) in a file, and an image for each of them."""
    images = folder / f"{name}-images"
    for image in said:
        save_image(images / image, sum(image.encode()) + len(image) * 256)
    file = folder / f"{name}.json"
    file.write_text(json.dumps(said), encoding="utf-8")
    return Pair(file, images)


def make(out: Path, pair: Pair | None = None, replace: bool = False, **changes: Any) -> dict[str, Any]:
    """Make training data from files."""
    choices = {name: changes.pop(name) for name in Choices.__annotations__ if name in changes}
    order = Order(annotations=pair, choices=Choices(**choices), **changes)
    return make_data(out, order, counter(order.min_pixels, order.max_pixels), replace, lambda *_: None)


def lines(file: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
