"""What a prediction asks, and the hash of all that decides its answer."""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final, Literal

from anomagent.prompts.anomaly_reporter import Form, render_report
from anomagent.prompts.base import Prompt
from anomagent.prompts.deepfake_detector import render_decide, render_explain
from anomagent.state.context import AnalysisContext, PredictorRole

Task = Literal["anomalies", "deepfake"]

FIRST_WORDS: Final = ("yes", "no")
"""The words that a verdict begins with."""


@dataclass(frozen=True)
class Question:
    """One of the tasks, in one of the forms of an answer."""

    task: Task = "anomalies"
    form: Form = "classic"
    """Of the list of anomalies; the two turns of `deepfake` ask for the classic one."""
    odds: bool = True
    """Whether the probability of a verdict is asked for; it changes no answer."""

    @property
    def role(self) -> PredictorRole:
        """Who is asked."""
        return "AnomalyReporter" if self.task == "anomalies" else "DeepfakeDetector"

    def first(self) -> Prompt:
        """The first turn, or the only one."""
        return render_report(self.form) if self.task == "anomalies" else render_decide()

    def second(self, answer: str) -> Prompt:
        """Turn 2 of `deepfake`, behind the answer to turn 1."""
        return render_explain(answer)

    def settings(self, context: AnalysisContext) -> dict[str, Any]:
        """What is stored about a set of predictions, in words."""
        return {
            "task": self.task,
            "form": self.form,
            "model": context.model,
            "base_url": context.base_url,
            "adapter": context.adapter,
            "image_max_pixels": context.image_max_pixels,
            "temperature": context.temperature,
        }

    def configuration(self, identity: str, context: AnalysisContext) -> str:
        """The hash of all that decides an answer: the client's identity, its parameters and the words of the prompts.

        Which server a model is reached at is part of the identity as far as it matters.
        """
        prompts = [self.first()] if self.task == "anomalies" else [self.first(), self.second("")]
        decisive = {
            "identity": identity,
            "task": self.task,
            "image_max_pixels": context.image_max_pixels,
            "temperature": context.temperature,
            "words": [[prompt.system, prompt.text, *(turn.text for turn in prompt.further)] for prompt in prompts],
        }
        return hashlib.sha256(json.dumps(decisive, sort_keys=True).encode()).hexdigest()[:16]
