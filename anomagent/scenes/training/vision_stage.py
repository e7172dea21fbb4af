# pyright: basic
"""Stage A: the vision tower learns, cell by cell, what stands where and what is wrong with it."""

from collections.abc import Callable

import numpy as np
import torch

from anomagent.scenes.cells import LABELS, cells
from anomagent.scenes.compose import compose
from anomagent.scenes.training.architecture import GRID
from anomagent.scenes.training.gallery import Gallery, picture
from anomagent.scenes.training.loop import Losses, Stage, run_stage, shuffled
from anomagent.scenes.training.trainee import Trainee

_HELD_OUT_SEED = 3_000_000
_THRESHOLD = 0.7


def train_vision(stage: Stage, trainee: Trainee, gallery: Gallery, *, compiled: bool = True) -> None:
    """Train vision tower and head on dense labels."""
    step = vision_step(trainee)
    compute = torch.compile(step, dynamic=False) if compiled else step

    def losses(views: range) -> Losses:
        images, truth = batch_of(gallery, shuffled(views, len(gallery), stage.seed), trainee.device)
        with torch.autocast(trainee.device.type, torch.bfloat16):
            return {"cells": compute(images, truth)}

    run_stage(stage, trainee, losses)


def vision_step(trainee: Trainee) -> Callable[[torch.Tensor, torch.Tensor], torch.Tensor]:
    """Images and truth to the loss."""
    return lambda images, truth: trainee.head.loss(trainee.packed.see(images), truth)


def batch_of(gallery: Gallery, indices: list[int], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Images (batch, side, side, 3) uint8 and truth (batch, IMAGE_TOKENS, labels) float32."""
    images = torch.from_numpy(np.stack([gallery.images[index] for index in indices]))
    truth = torch.from_numpy(np.stack([gallery.truth[index] for index in indices])).float()
    return images.to(device), truth.to(device)


@torch.no_grad()
def cell_scores(trainee: Trainee, count: int = 512) -> dict[str, float]:
    """F1 of every label over the cells of `count` scenes that training never sees."""
    hits, claimed, present = (np.zeros(len(LABELS)) for _ in range(3))
    for start in range(0, count, 32):
        scenes = [compose(_HELD_OUT_SEED + start + offset) for offset in range(min(32, count - start))]
        images = torch.from_numpy(np.stack([picture(scene) for scene in scenes])).to(trainee.device)
        found = trainee.head(trainee.packed.see(images)).sigmoid().cpu().numpy() > _THRESHOLD
        truth = np.stack([cells(scene, GRID) for scene in scenes])
        hits += (found & truth).sum((0, 1))
        claimed += found.sum((0, 1))
        present += truth.sum((0, 1))
    scores = 2 * hits / np.maximum(1, claimed + present)
    return dict(zip(LABELS, scores.round(3).tolist(), strict=True))
