"""Small courses: pictures of one colour each, and what a model is to say of them."""

from __future__ import annotations

import hashlib
from pathlib import Path

from PIL import Image

from anomagent.finetune.config import TrainConfig, load_config
from anomagent.finetune.instances import Instance, instance_of, write_instances

QUESTION = "What cannot be so here?"
ANSWER = "@1. Name: Shade {0}\n- Observed Phenomenon: It is {0}.\n- Reasoning: No.\n- Severity Score: 10/100"


def save_course(
    folder: Path, count: int = 4, *, name: str = "train", first: int = 0, turns: int = 1, side: int = 112
) -> Path:
    """Write pictures and a file of instances about them; with two turns the first asks whether it is generated."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.jsonl"
    write_instances(file, [_lesson(folder, number, turns, side) for number in range(first, first + count)])
    return file


def _lesson(folder: Path, number: int, turns: int, side: int) -> Instance:
    path = folder / f"{number}.png"
    Image.new("RGB", (side + 28 * (number % 3), side), (number * 20 % 256, 80, 160)).save(path)
    said = [(QUESTION, ANSWER.format(number))]
    if turns == 2:
        said.insert(0, ("Is it generated?", "yes"))
    return instance_of(f"n{number}", path.name, hashlib.sha256(path.read_bytes()).hexdigest(), said)


def course_config(base: Path, train: Path, out: Path | None = None, *settings: str) -> TrainConfig:
    """A short run in 32 bits on a tiny model, with LoRA on both of its layers."""
    ground = [
        f"base={base}",
        f"data.train={train}",
        "lora.rank=4",
        "lora.dropout=0.1",
        "training.batch=2",
        "training.accumulation=1",
        "training.log_steps=1",
        "training.learning_rate=0.01",
    ]
    return load_config("embedded", [*ground, *settings], out)
