# pyright: basic
"""Stage B: the whole model learns every step of the pipeline, while the vision tower keeps its lessons of stage A."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from random import Random
from typing import Final

import torch
from tokenizers import Tokenizer
from torch import Tensor
from torch.nn.functional import cross_entropy

from anomagent.scenes.training.encoder import Encoder
from anomagent.scenes.training.gallery import Gallery, training_scene
from anomagent.scenes.training.loop import Losses, Stage, run_stage, shuffled
from anomagent.scenes.training.packing import Batch, attention_mask, collate
from anomagent.scenes.training.trainee import Trainee
from anomagent.scenes.training.vision_stage import batch_of

LENGTH: Final = 416
"""Tokens of one image's tree; lessons that do not fit are left out."""
_ANSWER_TOKENS: Final = 120
_VISION_SHARE: Final = 0.5

Prepared = tuple[Batch, Tensor, Tensor]


def train_tasks(
    stage: Stage, trainee: Trainee, gallery: Gallery, tokenizer: Tokenizer, *, compiled: bool = True
) -> None:
    """Train all weights on the lessons of all steps."""
    compute = torch.compile(task_step(trainee), dynamic=False) if compiled else task_step(trainee)
    with ThreadPoolExecutor(1) as helper:
        ahead = _Ahead(helper, _preparation(stage, trainee, gallery, Encoder(tokenizer)))

        def losses(views: range) -> Losses:
            batch, images, truth = ahead(views)
            mask = attention_mask(batch.branches, batch.ancestors)
            with torch.autocast(trainee.device.type, torch.bfloat16):
                answers, seen = compute(
                    images, truth, batch.tokens, batch.positions, mask, batch.chosen, batch.targets, batch.weights
                )
            return {"answers": answers, "cells": _VISION_SHARE * seen}

        run_stage(stage, trainee, losses)


def task_step(trainee: Trainee) -> Callable[..., tuple[Tensor, Tensor]]:
    """A batch to the mean loss of answer tokens, and the loss of the head."""
    packed, head, model = trainee.packed, trainee.head, trainee.model

    def step(
        images: Tensor,
        truth: Tensor,
        tokens: Tensor,
        positions: Tensor,
        mask: Tensor,
        chosen: Tensor,
        targets: Tensor,
        weights: Tensor,
    ) -> tuple[Tensor, Tensor]:
        seen = packed.see(images)
        hidden = packed.read(tokens, seen, positions, mask)
        logits = model.lm_head(hidden.flatten(0, 1)[chosen]).float()
        each = cross_entropy(logits, targets, reduction="none")
        return (each * weights).sum() / weights.sum(), head.loss(seen, truth)

    return step


def _preparation(stage: Stage, trainee: Trainee, gallery: Gallery, encoder: Encoder) -> Callable[[range], Prepared]:
    def prepare(views: range) -> Prepared:
        indices = shuffled(views, len(gallery), stage.seed)
        numbered = zip(indices, views, strict=True)
        trees = [
            encoder.tree(training_scene(index), Random(f"{stage.seed} {view}"), LENGTH) for index, view in numbered
        ]
        images, truth = batch_of(gallery, indices, trainee.device)
        return collate(trees, _ANSWER_TOKENS).to(trainee.device), images, truth

    return prepare


class _Ahead:
    """Prepares the next batch while the present one is computed."""

    def __init__(self, helper: ThreadPoolExecutor, prepare: Callable[[range], Prepared]) -> None:
        self._helper, self._prepare = helper, prepare
        self._next: tuple[range, Future[Prepared]] | None = None

    def __call__(self, views: range) -> Prepared:
        known = self._next is not None and self._next[0] == views
        ready = self._next[1].result() if self._next is not None and known else self._prepare(views)
        following = range(views.stop, views.stop + len(views))
        self._next = following, self._helper.submit(self._prepare, following)
        return ready
