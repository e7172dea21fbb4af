# pyright: basic
"""One stage of training: a fixed time, a cosine schedule over that time, a log, and a checkpoint every few minutes."""

import json
import math
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from anomagent.scenes.training.trainee import Trainee

_WARM_UP_STEPS = 60
_FLOOR = 0.03
_LOG_SECONDS = 30.0
_SAVE_SECONDS = 180.0

Losses = dict[str, Tensor]


@dataclass(frozen=True)
class Stage:
    """A stage ends when its minutes are over or, in tests, after `max_steps`. Rates are the peaks of the schedule."""

    name: str
    minutes: float
    batch: int
    vision_rate: float
    text_rate: float
    seed: int
    max_steps: int | None = None


def run_stage(stage: Stage, trainee: Trainee, losses: Callable[[range], Losses]) -> None:
    """Train until the time is over, resuming from the stage's checkpoint if there is one.

    `losses` gets the running numbers of the images to show (`shuffled` turns them into indices); the sum of what it
    returns is minimised. The clock starts after the first step, which compiles.
    """
    optimizer = _optimizer(stage, trainee)
    step, spent = _resume(stage, trainee, optimizer)
    log = _Log(trainee.folder / "training.jsonl", stage)
    started: float | None = None
    saved, seconds = time.monotonic(), spent
    while seconds < 60 * stage.minutes and step != stage.max_steps:
        _set_rates(optimizer, step, seconds / (60 * stage.minutes))
        values = losses(range(step * stage.batch, (step + 1) * stage.batch))
        sum(values.values(), torch.zeros((), device=trainee.device)).backward()
        torch.nn.utils.clip_grad_norm_(_parameters(optimizer), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
        step += 1
        started = time.monotonic() if started is None else started
        seconds = spent + time.monotonic() - started
        log.add(step, seconds, values)
        if time.monotonic() - saved > _SAVE_SECONDS:
            trainee.save(stage.name, step, seconds, optimizer)
            saved = time.monotonic()
    trainee.save(stage.name, step, max(seconds, 60 * stage.minutes), optimizer)
    log.close(step, seconds)


def shuffled(views: range, count: int, seed: int) -> list[int]:
    """The images of these running numbers: every image once before any image comes again."""
    return [int(_permutation(view // count, count, seed)[view % count]) for view in views]


@lru_cache(maxsize=2)
def _permutation(epoch: int, count: int, seed: int) -> NDArray[np.int64]:
    return np.random.default_rng((seed, epoch)).permutation(count)


def _optimizer(stage: Stage, trainee: Trainee) -> torch.optim.Optimizer:
    groups = [{"params": trainee.vision_parameters(), "peak": stage.vision_rate}]
    if stage.text_rate:
        groups.append({"params": trainee.text_parameters(), "peak": stage.text_rate})
    return torch.optim.AdamW(groups, lr=0.0, betas=(0.9, 0.98), weight_decay=0.01, fused=True)


def _resume(stage: Stage, trainee: Trainee, optimizer: torch.optim.Optimizer) -> tuple[int, float]:
    state = trainee.restore(stage.name)
    if state is None:
        return 0, 0.0
    optimizer.load_state_dict(state["optimizer"])
    return int(state["step"]), float(state["seconds"])


def _set_rates(optimizer: torch.optim.Optimizer, step: int, fraction: float) -> None:
    cosine = 0.5 * (1 + math.cos(math.pi * min(1.0, fraction)))
    factor = min(1.0, (step + 1) / _WARM_UP_STEPS) * (_FLOOR + (1 - _FLOOR) * cosine)
    for group in optimizer.param_groups:
        group["lr"] = group["peak"] * factor


def _parameters(optimizer: torch.optim.Optimizer) -> Iterable[Tensor]:
    return (parameter for group in optimizer.param_groups for parameter in group["params"])


class _Log:
    """Appends the mean losses of every half minute to a JSON lines file."""

    def __init__(self, path: Path, stage: Stage) -> None:
        self._path, self._stage = path, stage
        self._since, self._sums, self._steps = time.monotonic(), dict[str, float](), 0

    def add(self, step: int, seconds: float, values: Losses) -> None:
        for name, value in values.items():
            self._sums[name] = self._sums.get(name, 0.0) + value.item()
        self._steps += 1
        if time.monotonic() - self._since > _LOG_SECONDS:
            self.close(step, seconds)

    def close(self, step: int, seconds: float) -> None:
        if not self._steps:
            return
        entry: dict[str, object] = {"stage": self._stage.name, "step": step, "seconds": round(seconds, 1)}
        entry |= {name: round(total / self._steps, 5) for name, total in self._sums.items()}
        entry["images_per_second"] = round(self._steps * self._stage.batch / (time.monotonic() - self._since), 1)
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry) + "\n")
        self._since, self._sums, self._steps = time.monotonic(), {}, 0
