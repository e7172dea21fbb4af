# pyright: basic
"""transformers' Trainer with our loss, checkpoints that are whole or absent, and a stop where a number is no number."""

import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import Trainer, TrainingArguments

from anomagent.finetune.config import TrainConfig
from anomagent.finetune.examples import Examples
from anomagent.finetune.losses import loss_of
from anomagent.finetune.processes import world_size
from anomagent.finetune.saving import checkpoints, keep_latest, settle
from anomagent.finetune.stopping import TrainingStopped

SaveErrors = (OSError, RuntimeError, SafetensorError)
"""What a full disk looks like, depending on who meets it first."""
Scorer = Callable[[Any], Mapping[str, float]]
"""Scores the model as it is, by what it generates; every process is asked, the main one answers."""


class LoraTrainer(Trainer):
    """Trains an adapted model on `Examples`. `run` is the run's folder."""

    def __init__(
        self,
        run: Path,
        config: TrainConfig,
        train: Examples,
        held_out: Examples | None = None,
        scorer: Scorer | None = None,
        **others: Any,
    ) -> None:
        super().__init__(train_dataset=train, eval_dataset=held_out, **others)
        self._train, self._held_out = train, held_out
        self._run = run
        self._keep = config.training.keep_checkpoints
        self._scorer = scorer
        self._recent: list[str] = []
        self._evaluated: tuple[int, dict[str, float]] = (-1, {})
        # Decides in Trainer whether the tokens of an update are counted and gradients left undivided.
        self.model_accepts_loss_kwargs = config.training.token_weighting

    def run_from(self, checkpoint: Path | None) -> Any:
        """Train to the end. Raises `TrainingStopped`, also where the GPU has too little memory."""
        try:
            return self.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
        except torch.OutOfMemoryError as error:
            raise TrainingStopped(
                f"step {self.state.global_step + 1}: the GPU has too little memory; kept: {self._kept()}; lower"
                " training.batch and raise training.accumulation by as much, or lower images.max_pixels"
            ) from error

        except OSError as error:
            reason = " ".join(str(error).split())[:200]
            raise TrainingStopped(
                f"step {self.state.global_step}: {reason}; kept: {self._kept()}; go on with --resume"
            ) from error

    def compute_loss(
        self, model: Any, inputs: dict[str, Any], return_outputs: bool = False, num_items_in_batch: Any = None
    ) -> Any:
        """The mean loss of the batch, or with token weighting its part of the update's.

        Raises `TrainingStopped` with the instances' ids where it is not finite.
        """
        batch = dict(inputs)
        labels, rows = batch.pop("labels"), batch.pop("rows").tolist()
        total, count = loss_of(model, batch, labels)
        names = self._names(rows, model.training)
        if not torch.isfinite(total):
            self._stop("the loss is not a finite number", names)
        if model.training:
            self._recent += names
        loss = total / count
        if model.training and num_items_in_batch is not None:
            # Gradients are averaged over the processes, and the tokens were counted over all of them.
            loss = total / num_items_in_batch * self.accelerator.num_processes
        return (loss, {}) if return_outputs else loss

    def assert_finite_gradients(self) -> None:
        """Raises `TrainingStopped` before a gradient that is not finite reaches the weights."""
        for name, parameter in self.adapted.named_parameters():
            if parameter.grad is not None and not torch.isfinite(parameter.grad).all():
                self._stop(f"the gradient of {name} is not finite", self._recent)
        self._recent.clear()

    def evaluate(self, *args: Any, **options: Any) -> dict[str, float]:
        """The loss on the evaluation data, and what the scorer says of generated answers."""
        metrics = super().evaluate(*args, **options)
        if self._scorer is not None:
            self.adapted.eval()
            scores = {f"eval_{name}": value for name, value in self._scorer(self.adapted).items()}
            self.log(scores)
            metrics |= scores
        self._evaluated = self.state.global_step, metrics
        return metrics

    def final_metrics(self) -> dict[str, float]:
        """What `evaluate` finds at the end, without asking again where it was asked at this very step."""
        step, metrics = self._evaluated
        return metrics if step == self.state.global_step else self.evaluate()

    @property
    def adapted(self) -> Any:
        """The model without what distributes it."""
        return self.model

    def _names(self, rows: list[int], training: bool) -> list[str]:
        examples = self._train if training else self._held_out
        return examples.ids(rows) if examples else []

    def _stop(self, what: str, ids: list[str]) -> None:
        names = ", ".join(ids[:8]) + (f" and {len(ids) - 8} more" if len(ids) > 8 else "")
        raise TrainingStopped(
            f"step {self.state.global_step + 1}: {what}; instances: {names}; no adapter is saved, kept:"
            f" {self._kept()}; look at these instances, or lower training.learning_rate"
        )

    def _kept(self) -> str:
        done = checkpoints(self._run)
        return done[-1].name if done else "nothing"

    def _get_output_dir(self, trial: Any) -> str:
        return str(self._run / ".unfinished")

    def _save_checkpoint(self, model: Any, trial: Any) -> None:
        """Written beside its place first, so that a full disk leaves the checkpoints before it as they were."""
        unfinished = Path(self._get_output_dir(trial))
        try:
            super()._save_checkpoint(model, trial)
            self.accelerator.wait_for_everyone()
            if self.args.should_save:
                made = unfinished / f"checkpoint-{self.state.global_step}"
                settle(made, self._run / made.name)
                keep_latest(self._run, self._keep)
        except SaveErrors as error:
            reason = " ".join(str(error).split())[:200]
            raise TrainingStopped(
                f"{self._run}: checkpoint {self.state.global_step} cannot be saved ({reason}); kept: {self._kept()};"
                " make room and go on with --resume"
            ) from error
        finally:
            if self.args.should_save:
                shutil.rmtree(unfinished, ignore_errors=True)
        self.accelerator.wait_for_everyone()


def unused_gpus() -> int:
    """GPUs of this machine beside the one that a single process trains on."""
    return max(0, torch.cuda.device_count() - 1) if world_size() == 1 else 0


def arguments_of(config: TrainConfig, run: Path, steps: int) -> TrainingArguments:
    """The Trainer's arguments for a run of `steps` updates."""
    from transformers.integrations.integration_utils import is_tensorboard_available

    training, cuda = config.training, torch.cuda.is_available()
    evaluated = config.data.eval is not None
    made = TrainingArguments(
        output_dir=str(run),
        per_device_train_batch_size=training.batch,
        per_device_eval_batch_size=training.batch,
        gradient_accumulation_steps=training.accumulation,
        num_train_epochs=training.epochs,
        max_steps=training.steps or -1,
        learning_rate=training.learning_rate,
        lr_scheduler_type=training.schedule,
        warmup_steps=round(steps * training.warmup),
        weight_decay=training.weight_decay,
        max_grad_norm=training.max_grad_norm,
        bf16=training.precision == "bf16",
        seed=training.seed,
        data_seed=training.seed,
        logging_steps=training.log_steps,
        logging_first_step=True,
        logging_nan_inf_filter=False,
        report_to=["tensorboard"] if is_tensorboard_available() else [],
        eval_strategy="steps" if evaluated and config.eval.steps else "no",
        eval_steps=config.eval.steps,
        eval_on_start=evaluated and config.eval.at_start,
        prediction_loss_only=True,
        label_names=["labels"],
        save_strategy="steps",
        save_steps=training.save_steps,
        dataloader_num_workers=training.workers,
        dataloader_pin_memory=cuda,
        remove_unused_columns=False,
        ddp_find_unused_parameters=False,
        ddp_backend=None if cuda or world_size() == 1 else "gloo",
        disable_tqdm=True,
        use_cpu=not cuda,
    )
    if cuda and made.n_gpu > 1:
        made._n_gpu = 1  # more cards are used through torchrun; else they would share one batch, slower than one
    return made
