# pyright: basic
"""The whole training, from nothing to the directory that is shipped."""

import asyncio
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from tokenizers import Tokenizer

from anomagent.config import Settings
from anomagent.scenes.bench import bench
from anomagent.scenes.training.card import write_card
from anomagent.scenes.training.export import export
from anomagent.scenes.training.gallery import FIRST_SEED, open_gallery
from anomagent.scenes.training.loop import Stage
from anomagent.scenes.training.task_stage import train_tasks
from anomagent.scenes.training.tokenizer import train_tokenizer
from anomagent.scenes.training.trainee import Trainee
from anomagent.scenes.training.vision_stage import cell_scores, train_vision


@dataclass(frozen=True)
class Recipe:
    """Everything that decides the result, apart from the speed of the machine: a stage ends when its time is over."""

    vision_minutes: float = 14.0
    task_minutes: float = 60.0
    scenes: int = 48_000
    vision_batch: int = 32
    task_batch: int = 16
    vision_rate: float = 2e-3
    vision_rate_in_tasks: float = 8e-4
    text_rate: float = 1.5e-3
    seed: int = 7
    held_out: int = 300
    max_steps: int | None = None


def train(recipe: Recipe, work: Path, out: Path, *, device: str = "cpu", compiled: bool = True) -> None:
    """Render, train both stages, export to `out` and measure. `work` keeps what an interrupted run goes on from."""
    work.mkdir(parents=True, exist_ok=True)
    gallery = open_gallery(work / "gallery", recipe.scenes)
    tokenizer = _tokenizer(work / "tokenizer.json")
    trainee = Trainee.create(tokenizer.get_vocab_size(), recipe.seed, torch.device(device), work)
    vision = Stage(
        "vision", recipe.vision_minutes, recipe.vision_batch, recipe.vision_rate, 0.0, recipe.seed + 1, recipe.max_steps
    )
    tasks = Stage(
        "tasks",
        recipe.task_minutes,
        recipe.task_batch,
        recipe.vision_rate_in_tasks,
        recipe.text_rate,
        recipe.seed + 2,
        recipe.max_steps,
    )
    train_vision(vision, trainee, gallery, compiled=compiled)
    seen = cell_scores(trainee)
    train_tasks(tasks, trainee, gallery, tokenizer, compiled=compiled)
    export_and_measure(recipe, work, out, {"cells_after_vision_stage": seen})


def export_and_measure(recipe: Recipe, work: Path, out: Path, notes: dict[str, object] | None = None) -> None:
    """Write `out` from the checkpoint of the task stage, also while that stage is running, and measure it.

    `notes` join the results; of these, `remarks` (a list of sentences) appear in the card.
    """
    state = torch.load(work / "tasks.pt", map_location="cpu", weights_only=True)
    export(state["model"], _tokenizer(work / "tokenizer.json"), out)
    results: dict[str, object] = {
        "recipe": asdict(recipe),
        "first_training_seed": FIRST_SEED,
        "task_steps": state["step"],
        "task_minutes_spent": round(state["seconds"] / 60, 1),
        "parameters": sum(value.numel() for name, value in state["model"].items() if name != "lm_head.weight"),
        "scores": measure(out, recipe.held_out),
        **(notes or {}),
    }
    (work / "results.json").write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")
    write_card(results, out)


def measure(folder: Path, count: int) -> dict[str, Any]:
    """The lean schedule through the whole graph on `count` held-out scenes."""
    options: dict[str, Any] = {"model": f"qwen-vl:{folder.resolve()}", "schedule": "lean"}
    with TemporaryDirectory() as workspace:
        return asyncio.run(bench(Settings(workspace=Path(workspace), **options), count))


def _tokenizer(path: Path) -> Tokenizer:
    if not path.exists():
        train_tokenizer().save(str(path))
    return Tokenizer.from_file(str(path))
