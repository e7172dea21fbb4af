"""AnomalyFormatter: candidates become the final quadruples (the paper's stage 3)."""

from collections.abc import Sequence

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Severity, Template, Text
from anomagent.state.findings import Candidate, DetectedObject


class FormattedAnomaly(Reply):
    """One final anomaly and the candidates that it covers."""

    name: Text = Field(description="short title")
    phenomenon: Text = Field(description="what is visibly wrong, understandable without seeing the image")
    reasoning: Text = Field(description="why it cannot be so")
    severity: Severity = Field(description="realism from 0 (completely implausible) to 100 (fully realistic)")
    objects: list[str] = Field(description="names of the objects concerned, the anomalous one first")
    covers: list[int] = Field(description="numbers of the candidates merged into this anomaly")


class DroppedCandidate(Reply):
    """A candidate that does not become an anomaly."""

    candidate: int
    reason: str


class FinalReport(Reply):
    """The anomalies of the image; every candidate is covered or dropped."""

    anomalies: list[FormattedAnomaly]
    dropped: list[DroppedCandidate]


FORMAT = Template(
    role="AnomalyFormatter",
    step="format",
    reply=FinalReport,
    source="""\
Task: turn the numbered candidates into the final list of anomalies of this image.
Merge near-duplicates, and settle contradictions by looking at the image.
Drop what is not visible, trivial or merely unusual, and say why; every candidate is either covered by an anomaly or dropped.
Rephrase instead of copying: a short name, then the phenomenon with positions and shapes for a reader who does not see the image, then the reasoning from physics, anatomy, function, common sense or social context.
Severity is realism from 0 to 100, so low is bad: 0 to 20 impossible, 21 to 50 clearly abnormal, 51 to 80 a subtle error, above 80 nearly realistic.
A candidate seen in many passes and by several sources is more likely right than one seen once.
Order the anomalies from left to right.
Reply: {"anomalies": [{"name": ..., "phenomenon": ..., "reasoning": ..., "severity": ..., "objects": [...], "covers": [...]}], "dropped": [{"candidate": ..., "reason": ...}]}

Objects:
{% for object in objects %}
- {{ object.name }}: {{ object.description }}
{% else %}
- none
{% endfor %}
Candidates:
{% for candidate in candidates %}
{{ candidate.id }}. {{ candidate.object }}: {{ candidate.phenomenon }}: {{ candidate.explanation }} (passes {{ candidate.passes | length }}, scans {{ candidate.scans | length }})
{% else %}
none
{% endfor %}""",
)


def render_format(objects: Sequence[DetectedObject], candidates: Sequence[Candidate]) -> Prompt:
    """The only step of the formatter."""
    return FORMAT.render(objects=objects, candidates=candidates)
