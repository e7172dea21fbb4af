# pyright: basic
"""One training run, from its configuration to an adapter."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomagent.finetune.adapter_card import adapter_card, model_name
from anomagent.finetune.base_model import load_model, vision_hash
from anomagent.finetune.callbacks import GradientCheck, JsonLog, News, Say, trim_log
from anomagent.finetune.config import TrainConfig
from anomagent.finetune.data_check import Advance
from anomagent.finetune.examples import Collator, Examples
from anomagent.finetune.generation import SampleScore, Score
from anomagent.finetune.lora import recompute_layers, trainable_parameters, with_lora
from anomagent.finetune.prepare import Prepared, prepare
from anomagent.finetune.processes import is_main, wait_for_all
from anomagent.finetune.run_folder import (
    ADAPTER,
    LOG,
    RECORD,
    check_same_data,
    finished,
    open_run,
    record_of,
    write_record,
)
from anomagent.finetune.saving import check_room, checkpoints, whole_folder
from anomagent.finetune.stopping import TrainingStopped
from anomagent.finetune.trainer import LoraTrainer, SaveErrors, arguments_of, unused_gpus

_CHECKPOINT = 16
"""Bytes on the disk for each trained number: itself and two moments in 32 bits, rounded up."""


@dataclass(frozen=True)
class Trained:
    """A finished run."""

    run: Path
    adapter: Path
    model: str
    """Names the base for `anomagent predict --model`."""
    steps: int
    metrics: dict[str, float]
    """Of the last evaluation, and the mean training loss."""


def train(
    config: TrainConfig,
    *,
    resume: bool = False,
    score: Score | None = None,
    say: Say = lambda line: None,
    advance: Callable[[str], Advance] | None = None,
) -> Trained:
    """Train an adapter into `config.out`. `score` judges generated answers (`eval.sample`); `say` is told the news.

    Raises `UsageError` before training for whatever cannot work, `TrainingStopped` where it ends early.
    """
    run, checkpoint = open_run(config, resume)
    # Tokenizers warn about every process that reads images for them; one instance at a time gains nothing from threads.
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    prepared = prepare(config, advance)
    model, modules = build(prepared)
    trainable, parameters = trainable_parameters(model)
    record = record_of(prepared, trainable, parameters)
    check_room(run, (config.training.keep_checkpoints + 2) * _CHECKPOINT * trainable)
    if checkpoint or (resume and (run / RECORD).is_file()):
        check_same_data(run, record)
    wait_for_all()
    if is_main():
        write_record(run, record, config)
        trim_log(run / LOG, int(checkpoint.name.removeprefix("checkpoint-")) if checkpoint else -1)
        say(f"{len(prepared.train)} instances, {len(modules)} modules, {trainable:,} trained of {parameters:,}")
        if (cards := unused_gpus()) > 0:
            say(f"{cards} more GPUs are here and not used: torchrun --nproc_per_node {cards + 1} -m anomagent ...")
        say(f"going on from {checkpoint.name}" if checkpoint else f"{prepared.steps} steps into {run}")
    trainer = _trainer(prepared, model, run, score, say)
    frozen = vision_hash(model)
    result = trainer.run_from(checkpoint)
    metrics = {"train_loss": result.training_loss}
    metrics |= trainer.final_metrics() if prepared.eval else {}
    if vision_hash(trainer.adapted) != frozen:
        raise TrainingStopped(f"{run}: the vision tower changed although it is frozen; no adapter is saved")
    record = finished(record, metrics, trainer.state.global_step, frozen)
    if is_main():
        write_record(run, record, config)
        save_adapter(prepared, trainer.adapted, run, record)
    wait_for_all()
    return Trained(run, run / ADAPTER, model_name(prepared.base.name), trainer.state.global_step, metrics)


def build(prepared: Prepared) -> tuple[Any, list[str]]:
    """The base model with fresh adapters, drawn by the run's seed, and the names of what is adapted."""
    from transformers import set_seed

    set_seed(prepared.config.training.seed)
    model, modules = with_lora(load_model(prepared.base, prepared.config), prepared.config.lora)
    if prepared.config.training.gradient_checkpointing:
        recompute_layers(model)
    return model, modules


def save_adapter(prepared: Prepared, model: Any, run: Path, record: dict[str, Any]) -> None:
    """Write the adapter with its pixel bounds and its card, whole or not at all. Raises `TrainingStopped`."""
    try:
        with whole_folder(run / ADAPTER) as folder:
            model.save_pretrained(str(folder))
            prepared.inputs.image_processor.save_pretrained(str(folder))
            (folder / "README.md").write_text(adapter_card(prepared.config, record), encoding="utf-8")
    except SaveErrors as error:
        kept = checkpoints(run)
        raise TrainingStopped(
            f"{run}: the adapter cannot be saved ({' '.join(str(error).split())[:200]}); kept:"
            f" {kept[-1].name if kept else 'nothing'}; make room and go on with --resume"
        ) from error


def _trainer(prepared: Prepared, model: Any, run: Path, score: Score | None, say: Say) -> LoraTrainer:
    from transformers import PrinterCallback

    config, inputs = prepared.config, prepared.inputs
    newline = config.training.train_newline
    scorer = SampleScore(prepared.eval, inputs, config, score) if score and config.eval.sample else None
    trainer = LoraTrainer(
        run,
        config,
        Examples(prepared.train, inputs, newline),
        Examples(prepared.eval, inputs, newline) if prepared.eval else None,
        scorer,
        model=model,
        args=arguments_of(config, run, prepared.steps),
        data_collator=Collator(inputs),
        callbacks=[JsonLog(run / LOG), News(say)],
    )
    trainer.add_callback(GradientCheck(trainer.assert_finite_gradients))
    trainer.remove_callback(PrinterCallback)
    return trainer
