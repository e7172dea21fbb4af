"""DeepfakeDetector: two turns; is the image AI-generated, and what gives it away (or what a real one shows)."""

from dataclasses import replace
from typing import Final

from anomagent.prompts.anomaly_reporter import SYSTEM, WORDINGS, render_report
from anomagent.prompts.base import PlainText, Prompt, Template, Turn

QUESTIONS: Final[tuple[str, ...]] = (
    "Is this image AI-generated? Answer yes or no.",
    "Was this picture made by an image generator? Answer yes or no.",
    "Decide whether this image is AI-generated: yes or no.",
)
"""Turn 1, in wordings of the same meaning; the first is what predictions use."""

ELSE: Final = "If it is a real photograph, describe what it shows instead."

ASK = Template(
    role="DeepfakeDetector",
    step="decide",
    reply=PlainText,
    system=SYSTEM,
    source="{{ question }}",
)


def render_decide(wording: int = 0) -> Prompt:
    """Turn 1. The verdict is the first word of the answer: yes = AI-generated."""
    return ASK.render(question=QUESTIONS[wording])


def render_explain(answer: str, wording: int = 0) -> Prompt:
    """Turn 2, behind the answer to turn 1: the anomalies in the classic text, or a real image's description."""
    further = (Turn("assistant", answer), Turn("user", explain_text(wording)))
    return replace(render_decide(wording % len(QUESTIONS)), step="explain", further=further)


def explain_text(wording: int = 0) -> str:
    """The question of turn 2."""
    return f"{render_report('classic', wording % len(WORDINGS)).text}\n{ELSE}"
