"""RelationReasoner: one object among the others, judged and then verified (the paper's stage 2)."""

from collections.abc import Sequence

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Template
from anomagent.state.findings import DetectedObject, Finding


class RelationIssue(Reply):
    """One abnormal relation of the object."""

    objects: list[str] = Field(description="names of the objects involved, the examined one first")
    issue: str = Field(description="what is observed")
    reasoning: str = Field(description="why it cannot be so")


class Judgement(Reply):
    """Step 1: what was seen of the object's relations, one piece of evidence each."""

    observations: list[str]


class RelationIssues(Reply):
    """Step 2: the relations that survive verification."""

    issues: list[RelationIssue]


class RelationAnalysis(Reply):
    """Both steps in one reply: evidence first, then the issues that it supports."""

    observations: list[str]
    issues: list[RelationIssue]


_SCOPE = """\
The end names the object, then the other objects, then the issues of the object itself that another agent found; do not repeat those.
Perspective and placement: ask whether the object may be at this place, and whether its size fits its distance and the other objects.
Physical interaction: ask what carries it, what it touches and overlaps, and whether its shadow and reflection are there and agree with the light.
Logic: ask whether the object contradicts one other object, or several together, in what they do and how they are used.
"""

_VARIABLES = """\
Object: {{ object.name }}: {{ object.description }}
Other objects:
{% for other in others %}
- {{ other.name }}: {{ other.description }}
{% else %}
- none
{% endfor %}
Known issues:
{% for finding in attributes %}
- {{ finding.name }}: {{ finding.issue }}
{% else %}
- none
{% endfor %}"""

JUDGE = Template(
    role="RelationReasoner",
    step="judge",
    reply=Judgement,
    source=f"""\
Task: judge broadly how one object of the image relates to each of the others and to all of them together.
{_SCOPE}\
State one observation each with the visible evidence for it, normal and abnormal alike; do not conclude yet.
Reply: {{"observations": [...]}}

{_VARIABLES}""",
)

VERIFY = Template(
    role="RelationReasoner",
    step="verify",
    reply=RelationIssues,
    source=f"""\
Task: turn the observations about one object's relations into a verified list of issues.
{_SCOPE}\
Verify each observation for logical coherence, physical realism, semantic plausibility and causal consistency; trust the image where text and image disagree.
Drop what is unusual but possible; an object that stands where it may stand has no issue.
Reply: {{"issues": [{{"objects": [...], "issue": ..., "reasoning": ...}}]}}

{_VARIABLES}
Observations:
{{% for observation in observations %}}
- {{{{ observation }}}}
{{% else %}}
- none
{{% endfor %}}""",
)

REASON = Template(
    role="RelationReasoner",
    step="reason",
    reply=RelationAnalysis,
    source=f"""\
Task: judge how one object of the image relates to the others, and list what is impossible.
{_SCOPE}\
First state observations with the visible evidence, normal and abnormal alike.
Then verify them for logical coherence, physical realism, semantic plausibility and causal consistency, and list the issues; an object that stands where it may stand has none.
Reply: {{"observations": [...], "issues": [{{"objects": [...], "issue": ..., "reasoning": ...}}]}}

{_VARIABLES}""",
)


def render_judge(object: DetectedObject, others: Sequence[DetectedObject], attributes: Sequence[Finding]) -> Prompt:
    """Step 1 of the paper's schedule; `attributes` is C_attr of this object."""
    return JUDGE.render(object=object, others=others, attributes=attributes)


def render_verify(
    object: DetectedObject, others: Sequence[DetectedObject], attributes: Sequence[Finding], observations: Sequence[str]
) -> Prompt:
    """Step 2 of the paper's schedule."""
    return VERIFY.render(object=object, others=others, attributes=attributes, observations=observations)


def render_reason(object: DetectedObject, others: Sequence[DetectedObject], attributes: Sequence[Finding]) -> Prompt:
    """Both steps in one call (`lean`)."""
    return REASON.render(object=object, others=others, attributes=attributes)
