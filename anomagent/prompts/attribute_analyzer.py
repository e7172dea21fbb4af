"""AttributeAnalyzer: one object alone, examined broadly and then listed (the paper's stage 2)."""

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Template
from anomagent.state.findings import DetectedObject


class AttributeIssue(Reply):
    """One abnormal phenomenon of the object itself."""

    name: str = Field(description="abnormal phenomenon, as a short title")
    issue: str = Field(description="what is observed")
    explanation: str = Field(description="why it cannot be so")


class Examination(Reply):
    """Step 1: what was counted, measured and compared, one piece of evidence each."""

    observations: list[str]


class AttributeIssues(Reply):
    """Step 2: the issues that survive verification."""

    issues: list[AttributeIssue]


class AttributeAnalysis(Reply):
    """Both steps in one reply: evidence first, then the issues that it supports."""

    observations: list[str]
    issues: list[AttributeIssue]


_SCOPE = """\
Look only at the object named at the end; its description tells it apart from others of its kind.
Shape: compare outline, parts and proportions with a normal object of this kind, and count the parts.
Function: ask whether it could work and exist physically: power, joints, openings, wheels, hands of a clock, material and colour.
Orientation: ask whether it is the right way up.
People and animals: check that limbs, hands, fingers, face, head and tail are in place, correctly counted, well proportioned, and neither fused nor doubled.
How the object relates to others, its support, relative size, place and shadow, is another agent's task.
"""

EXAMINE = Template(
    role="AttributeAnalyzer",
    step="examine",
    reply=Examination,
    source=f"""\
Task: examine one object of the image broadly, so that nothing strange about it is missed.
{_SCOPE}\
State one observation each with the visible evidence for it, normal and abnormal alike; do not conclude yet.
Reply: {{"observations": [...]}}

Object: {{{{ object.name }}}}: {{{{ object.description }}}}""",
)

LIST = Template(
    role="AttributeAnalyzer",
    step="list",
    reply=AttributeIssues,
    source=f"""\
Task: turn the observations about one object into a verified list of its issues.
{_SCOPE}\
Check every observation against the image again; drop what you cannot see, what is merely covered or cut off, and what is unusual but possible.
An issue is what contradicts common knowledge about objects of this kind; a normal object has none.
Reply: {{"issues": [{{"name": ..., "issue": ..., "explanation": ...}}]}}

Object: {{{{ object.name }}}}: {{{{ object.description }}}}
Observations:
{{% for observation in observations %}}
- {{{{ observation }}}}
{{% else %}}
- none
{{% endfor %}}""",
)

ANALYZE = Template(
    role="AttributeAnalyzer",
    step="analyze",
    reply=AttributeAnalysis,
    source=f"""\
Task: examine one object of the image and list its issues.
{_SCOPE}\
First state observations with the visible evidence, normal and abnormal alike; then verify them and list the issues.
Drop what you cannot see, what is merely covered or cut off, and what is unusual but possible; a normal object has no issue.
Reply: {{"observations": [...], "issues": [{{"name": ..., "issue": ..., "explanation": ...}}]}}

Object: {{{{ object.name }}}}: {{{{ object.description }}}}""",
)


def render_examine(object: DetectedObject) -> Prompt:
    """Step 1 of the paper's schedule."""
    return EXAMINE.render(object=object)


def render_list(object: DetectedObject, observations: list[str]) -> Prompt:
    """Step 2 of the paper's schedule."""
    return LIST.render(object=object, observations=observations)


def render_analyze(object: DetectedObject) -> Prompt:
    """Both steps in one call (`lean`)."""
    return ANALYZE.render(object=object)
