"""DirectDetector: one prompt, one call; the baseline of the paper's comparisons (Table 1)."""

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Severity, Template, Text


class DirectAnomaly(Reply):
    """One anomaly."""

    name: Text = Field(description="short title")
    phenomenon: Text = Field(description="what is visibly wrong, understandable without seeing the image")
    reasoning: Text = Field(description="why it cannot be so")
    severity: Severity = Field(description="realism from 0 (completely implausible) to 100 (fully realistic)")
    objects: list[str] = Field(description="names of the objects concerned, the anomalous one first")


class DirectReport(Reply):
    """Every anomaly of the image."""

    anomalies: list[DirectAnomaly]


DETECT = Template(
    role="DirectDetector",
    step="detect",
    reply=DirectReport,
    source="""\
Task: find all semantic anomalies of this image by yourself and explain them.
Look at every object, at its parts, material and function, and at how the objects stand to each other in space, physics and sense.
Give each anomaly a short name, the phenomenon with positions and shapes for a reader who does not see the image, and the reasoning from physics, anatomy, function, common sense or social context.
Severity is realism from 0 to 100, so low is bad: 0 to 20 impossible, 21 to 50 clearly abnormal, 51 to 80 a subtle error, above 80 nearly realistic.
Do not report what is unusual but possible.
Order the anomalies from left to right.
Reply: {"anomalies": [{"name": ..., "phenomenon": ..., "reasoning": ..., "severity": ..., "objects": [...]}]}""",
)


def render_detect() -> Prompt:
    """The whole task in one prompt."""
    return DETECT.render()
