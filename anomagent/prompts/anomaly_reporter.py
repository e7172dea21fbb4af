"""AnomalyReporter: one prompt, the whole answer; the wording that models are fine-tuned on, and their baselines asked.

The answer is the classic text (SPEC's training target) or JSON; both are read by `anomagent.benchmark`.
"""

from typing import Final, Literal

from anomagent.prompts.base import PlainText, Prompt, Template
from anomagent.state.classic_text import NO_ANOMALIES

Form = Literal["classic", "json"]
"""How the answer is to be written."""

SYSTEM: Final = "You are a helpful assistant."
"""Qwen's own: a model that is fine-tuned for one task needs no other."""

_FORM = (
    "Write one block for each anomaly, blocks apart by an empty line, in exactly this form:\n"
    "@1. Name: a short title\n"
    "- Observed Phenomenon: what is visibly wrong, with positions and shapes, for a reader who does not see the image\n"
    "- Reasoning: why it cannot be so\n"
    "- Severity Score: N/100, where 0 is completely implausible and 100 fully realistic\n"
    f"Where there is none, answer: {NO_ANOMALIES}"
)

WORDINGS: Final[tuple[str, ...]] = (
    "Find every semantic anomaly in this image: whatever is clearly visible and cannot be so in the real world.",
    "Which things in this picture contradict physics, anatomy, function or common sense? List all of them.",
    "Examine the image for what could not exist in reality: broken anatomy, support, contact, light, scale or use.",
    "Point out each semantic error of this image and explain why it is impossible or implausible.",
    "List the semantic anomalies of this image. Noise, blur and style do not count; impossible content does.",
)
"""Instructions of the same meaning, for training on several; the first is what predictions use."""

REPORT = Template(
    role="AnomalyReporter",
    step="report",
    reply=PlainText,
    system=SYSTEM,
    source="{{ wording }}\n" + _FORM,
)
REPORT_JSON = Template(
    role="AnomalyReporter",
    step="report_json",
    reply=PlainText,
    system=SYSTEM,
    source="""\
{{ wording }}
Answer with a JSON list and nothing else; an empty list where there is no anomaly. Each entry has exactly these keys:
[{"name": short title, "phenomenon": what is visibly wrong, with positions and shapes, for a reader who does not see the image, "reasoning": why it cannot be so, "severity": realism from 0 (completely implausible) to 100 (fully realistic)}]""",
)


def render_report(form: Form = "classic", wording: int = 0) -> Prompt:
    """The one prompt, in one of the `WORDINGS`."""
    return (REPORT if form == "classic" else REPORT_JSON).render(wording=WORDINGS[wording])
