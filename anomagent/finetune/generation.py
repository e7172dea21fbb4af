# pyright: basic
"""Answers of the model while it is trained, on a sample of the evaluation data, made as predictions are made."""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from anomagent.finetune.config import TrainConfig
from anomagent.finetune.examples import Row
from anomagent.finetune.instances import Instance
from anomagent.finetune.masking import turns_of
from anomagent.finetune.processes import is_main, share, together
from anomagent.finetune.tokens import FIRST_BOUND
from anomagent.models.qwen_engine import QwenEngine
from anomagent.models.qwen_inputs import QwenInputs
from anomagent.models.types import Completion, Request
from anomagent.prompts.anomaly_reporter import SYSTEM
from anomagent.prompts.base import PlainText, Prompt


@dataclass(frozen=True)
class Generated:
    """What the model answers to an instance's last question, the turns before it being the instance's own."""

    instance: Instance
    text: str | None
    """None: no answer, or one that did not end."""


Score = Callable[[Sequence[Generated]], Mapping[str, float]]
"""Compares generated answers with those of their instances: names and values for the log."""


class SampleScore:
    """Generates on the same sample each time and lets `score` judge. In the main process it returns the scores."""

    def __init__(self, rows: Sequence[Row], inputs: QwenInputs, config: TrainConfig, score: Score) -> None:
        count = min(config.eval.sample, len(rows))
        self._rows = random.Random(config.training.seed).sample(list(rows), count)
        self._inputs = inputs
        self._config = config
        self._score = score

    def __call__(self, model: Any) -> Mapping[str, float]:
        """Scores of the model as it is; nothing in the other processes."""
        own = share(self._rows)
        generated = together(generate(model, self._inputs, own, self._config.eval.max_new_tokens))
        return self._score(generated) if is_main() else {}


def generate(
    model: Any, inputs: QwenInputs, rows: Sequence[Row], max_new_tokens: int, batch: int = 8
) -> list[Generated]:
    """Greedy answers to the last question of each row, in order."""
    engine = QwenEngine(model, inputs)
    made: list[Generated] = []
    for start in range(0, len(rows), batch):
        part = rows[start : start + batch]
        outcomes = engine.answer([request_of(row, max_new_tokens) for row in part], lambda: False)
        made += [Generated(row.instance, _ended(outcome)) for row, outcome in zip(part, outcomes, strict=True)]
    return made


def request_of(row: Row, max_tokens: int) -> Request:
    """The request that asks an instance's last question."""
    first, *further = turns_of(row.instance)[:-1]
    prompt = Prompt("AnomalyReporter", "report", first.text, PlainText, SYSTEM, tuple(further))
    return Request(prompt, row.image, row.instance.sha256, FIRST_BOUND, max_tokens, None, prompt.further)


def _ended(outcome: Any) -> str | None:
    return outcome.text if isinstance(outcome, Completion) and outcome.finish_reason == "stop" else None
