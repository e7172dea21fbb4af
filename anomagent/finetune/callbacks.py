# pyright: basic
"""What happens beside the training steps: the log of the run, news for the user, and the check of gradients."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

Say = Callable[[str], None]


class JsonLog(TrainerCallback):
    """Appends one object a logging step to a file of JSON lines, in the main process."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._started = time.monotonic()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Write the numbers of this step."""
        if state.is_world_process_zero and logs:
            seconds = round(time.monotonic() - self._started, 1)
            entry = {"step": state.global_step, "epoch": state.epoch, "seconds": seconds, **logs}
            with self._file.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(entry) + "\n")


def trim_log(file: Path, step: int) -> None:
    """Take out what a run logged after `step`, from where it goes on."""
    if file.is_file():
        lines = [line for line in file.read_text(encoding="utf-8").splitlines() if _step(line) <= step]
        file.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _step(line: str) -> float:
    """The step of a line of the log; past every step where the line was cut off."""
    try:
        return json.loads(line)["step"]
    except (ValueError, KeyError, TypeError):
        return math.inf


class News(TrainerCallback):
    """Says in one line how training stands."""

    def __init__(self, say: Say) -> None:
        self._say = say
        self._started = 0.0
        self._first = 0

    def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Count time from here, and steps from where a resumed run begins."""
        self._started, self._first = time.monotonic(), state.global_step

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Say the loss and the time that is left, or what an evaluation found."""
        if not state.is_world_process_zero or not logs:
            return
        if "loss" in logs:
            seconds = (time.monotonic() - self._started) / max(1, state.global_step - self._first)
            left = seconds * (state.max_steps - state.global_step)
            rest = f"{seconds:.2f} s a step, {duration(left)} left"
            self._say(f"step {state.global_step} of {state.max_steps}: loss {logs['loss']:.4f}, {rest}")
        elif scores := {name: value for name, value in logs.items() if name in SHOWN}:
            told = ", ".join(f"{name.removeprefix('eval_')} {value:.4f}" for name, value in scores.items())
            self._say(f"step {state.global_step}: on the evaluation data: {told}")


SHOWN = ("eval_loss", "eval_semf1", "eval_precision", "eval_recall", "eval_unreadable")


class GradientCheck(TrainerCallback):
    """Stops training before a gradient that is no number reaches the weights."""

    def __init__(self, check: Callable[[], None]) -> None:
        self._check = check

    def on_pre_optimizer_step(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Look at every gradient: they are few with LoRA."""
        self._check()


def duration(seconds: float) -> str:
    """`seconds` in the unit that fits: 40 s, 12 min, 3.5 h."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
