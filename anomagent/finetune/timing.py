# pyright: basic
"""A few measured passes, forward and backward, before a run: seconds and memory."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch

from anomagent.finetune.config import TrainConfig
from anomagent.finetune.examples import Collator, Examples
from anomagent.finetune.losses import loss_of
from anomagent.models.qwen_inputs import QwenInputs

_PASSES = 3


@dataclass(frozen=True)
class Timing:
    """Measured passes of one batch each."""

    passes: int
    seconds: float
    """Of one pass over a batch of middling length."""
    peak: int | None
    """Bytes on the GPU while the longest batch passed; None on a CPU."""


def measure(
    model: Any, inputs: QwenInputs, examples: Examples, by_length: Sequence[int], config: TrainConfig
) -> Timing:
    """Pass the longest batch once, which also warms up, then middling ones. `by_length`: row numbers, longest first."""
    cuda = torch.cuda.is_available()
    device = torch.device("cuda" if cuda else "cpu")
    model.to(device).train()
    size, collate = config.training.batch, Collator(inputs)
    if cuda:
        torch.cuda.reset_peak_memory_stats()
    _pass(model, collate([examples[n] for n in by_length[:size]]), device, config)
    peak = torch.cuda.max_memory_allocated() if cuda else None
    start = max(0, (len(by_length) - size) // 2)
    middle = [examples[n] for n in by_length[start : start + size]]
    seconds = min(_pass(model, collate(middle), device, config) for _ in range(_PASSES))
    return Timing(_PASSES, seconds, peak)


def _pass(model: Any, batch: dict[str, Any], device: torch.device, config: TrainConfig) -> float:
    started = time.perf_counter()
    given = {name: tensor.to(device) for name, tensor in batch.items() if name != "rows"}
    labels = given.pop("labels")
    with torch.autocast(device.type, torch.bfloat16, enabled=config.training.precision == "bf16"):
        total, count = loss_of(model, given, labels)
    (total / count).backward()
    model.zero_grad(set_to_none=True)
    if device.type == "cuda":
        torch.cuda.synchronize()
    return time.perf_counter() - started
