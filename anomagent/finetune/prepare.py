# pyright: basic
"""All that can be done and found wrong before weights are loaded."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from anomagent.errors import ConfigurationError
from anomagent.finetune.base_model import Base, check_loadable, find_base, load_inputs, meta_model
from anomagent.finetune.config import TrainConfig
from anomagent.finetune.data_check import Advance, Limits, Measured, all_measured, measure_rows, refuse_leakage
from anomagent.finetune.examples import Row, read_rows
from anomagent.finetune.lora import adapted_modules
from anomagent.finetune.pixel_bounds import prove_bounds
from anomagent.finetune.processes import share, together, world_size
from anomagent.models.qwen_inputs import QwenInputs


@dataclass(frozen=True)
class Prepared:
    """A run that can begin: its model is of the right kind, its data was read as a whole."""

    config: TrainConfig
    base: Base
    inputs: QwenInputs
    modules: list[str]
    """What will be adapted."""
    shapes: Any
    """The model on the meta device."""
    probes: dict[str, int]
    """Image tokens of the probe images."""
    train: list[Row]
    measured: list[Measured]
    eval: list[Row]
    eval_measured: list[Measured]

    @property
    def steps(self) -> int:
        """Updates in all, over all processes."""
        training = self.config.training
        if training.steps:
            return training.steps
        passes = math.ceil(len(self.train) / (training.batch * world_size()))
        return math.ceil(training.epochs * max(1, math.ceil(passes / training.accumulation)))


def prepare(
    config: TrainConfig, advance: Callable[[str], Advance] | None = None, *, weightless: bool = False
) -> Prepared:
    """Check the base model, the pixel bounds and every instance with its image.

    `advance` gives for a task's name what is told of its progress; `weightless`: the weights may be missing. Raises
    `UsageError` in one line.
    """
    base = find_base(config)
    if not weightless:
        check_loadable(base, config)
    context = base.config.get_text_config().max_position_embeddings
    if config.data.max_tokens > context:
        raise ConfigurationError(f"data.max_tokens = {config.data.max_tokens}: the base model holds {context} tokens")
    shapes = meta_model(base, config)
    modules = adapted_modules(shapes, config.lora)
    inputs = load_inputs(base, config)
    if inputs.image_id != base.config.image_token_id:
        raise ConfigurationError(
            f"base {base.source}: the image token is {inputs.image_id} in its tokenizer and"
            f" {base.config.image_token_id} in its config.json; the directory is not whole"
        )
    probes = prove_bounds(inputs, config.images.min_pixels, config.images.max_pixels)
    train = read_rows(config.data.train)
    held_out = read_rows([config.data.eval]) if config.data.eval else []
    refuse_leakage(train, held_out)
    limits = Limits(config.data.max_tokens, config.training.train_newline)
    show = advance or (lambda task: lambda done, total: None)
    measured = _measure(train, inputs, limits, show("checking images"))
    eval_measured = _measure(held_out, inputs, limits, show("checking images of data.eval"))
    return Prepared(config, base, inputs, modules, shapes, probes, train, measured, held_out, eval_measured)


def _measure(rows: Sequence[Row], inputs: QwenInputs, limits: Limits, advance: Advance) -> list[Measured]:
    return all_measured(rows, together(measure_rows(share(rows), inputs, limits, advance)))
