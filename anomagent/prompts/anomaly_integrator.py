"""AnomalyIntegrator: one report per object, then candidates for the image (the paper's stage 3)."""

from collections.abc import Sequence
from typing import Literal

from pydantic import Field

from anomagent.prompts.base import Prompt, Reply, Template
from anomagent.state.findings import DetectedObject, Finding, ObjectReport, ScanFinding


class ReportEntry(Reply):
    """One observed phenomenon of the object, with where it comes from."""

    phenomenon: str = Field(description="short title")
    source: Literal["description", "relations", "both"]
    details: str = Field(description="what is observed")
    explanation: str = Field(description="why it cannot be so")


class ConsolidatedReport(Reply):
    """Step 1: everything known about one object."""

    report: list[ReportEntry]
    contradictions: list[str] = Field(description="where the findings contradict each other or the image")


class PooledCandidate(Reply):
    """One candidate anomaly of the image."""

    object: str = Field(description="name of the anomalous object")
    phenomenon: str = Field(description="what is visibly wrong")
    explanation: str = Field(description="why it cannot be so")
    sources: list[Literal["attributes", "relations", "scan"]] = Field(description="who reported it")


class Candidates(Reply):
    """Step 2: the candidates of the image, left to right."""

    candidates: list[PooledCandidate]


CONSOLIDATE = Template(
    role="AnomalyIntegrator",
    step="consolidate",
    reply=ConsolidatedReport,
    source="""\
Task: consolidate what two agents found about one object into a single report.
The attribute agent looked at the object alone (source "description"), the relation agent at the object among the others (source "relations").
Merge findings that describe the same phenomenon, with source "both", and keep the clearest wording.
Keep different phenomena apart, and lose none that the image supports.
Name the contradictions between the findings, or between a finding and the image.
Reply: {"report": [{"phenomenon": ..., "source": ..., "details": ..., "explanation": ...}], "contradictions": [...]}

Object: {{ object.name }}: {{ object.description }}
Description findings:
{% for finding in attributes %}
- {{ finding.name }}: {{ finding.issue }}: {{ finding.explanation }}
{% else %}
- none
{% endfor %}
Relation findings:
{% for finding in relations %}
- {{ finding.objects | join(", ") }}: {{ finding.issue }}: {{ finding.explanation }}
{% else %}
- none
{% endfor %}""",
)

POOL = Template(
    role="AnomalyIntegrator",
    step="pool",
    reply=Candidates,
    source="""\
Task: pool the reports about all objects and the scans of the whole image into one list of candidate anomalies.
Every agent can be wrong: look at the image for each report, keep what it shows, and drop what it contradicts.
Merge reports of the same phenomenon of the same object, whoever made them, and name all their sources.
Sources: "attributes" for description findings, "relations" for relation findings, "scan" for the scans.
Keep different phenomena of one object apart, and use the names of the objects as given.
Add an anomaly that nobody reported only if it is plain to see, with no source.
Drop what is unusual but possible, what is a matter of style, and what is not in the image.
Order the candidates by their objects from left to right.
Reply: {"candidates": [{"object": ..., "phenomenon": ..., "explanation": ..., "sources": [...]}]}

{% for report in reports %}
Object: {{ report.object.name }}: {{ report.object.description }}
{% for item in report.entries %}
- {{ item.source }}: {{ item.observed }}: {{ item.explanation }}
{% endfor %}
{% endfor %}
{% for scan in scans %}
Scan {{ loop.index }}:
{% for anomaly in scan %}
- {{ anomaly.objects | join(", ") }}: {{ anomaly.phenomenon }}: {{ anomaly.explanation }}
{% else %}
- nothing
{% endfor %}
{% endfor %}""",
)


def render_consolidate(object: DetectedObject, attributes: Sequence[Finding], relations: Sequence[Finding]) -> Prompt:
    """Step 1, per object: C_attr and C_rel of this object."""
    return CONSOLIDATE.render(object=object, attributes=attributes, relations=relations)


def render_pool(
    reports: Sequence[ObjectReport], scans: Sequence[Sequence[ScanFinding]], *, consolidated: bool
) -> Prompt:
    """Step 2, per image: from the `consolidated` reports, or from the bare findings where no step 1 ran (`lean`)."""
    entries = _consolidated if consolidated else _found
    pooled = [{"object": report["object"], "entries": entries(report)} for report in reports]
    return POOL.render(reports=pooled, scans=scans)


def _consolidated(report: ObjectReport) -> list[dict[str, str]]:
    return [
        _entry(item["source"], item["phenomenon"], item["details"], item["explanation"]) for item in report["report"]
    ]


def _found(report: ObjectReport) -> list[dict[str, str]]:
    described = [("description", finding) for finding in report["attributes"]]
    related = [("relations", finding) for finding in report["relations"]]
    return [
        _entry(source, finding["name"], finding["issue"], finding["explanation"])
        for source, finding in described + related
    ]


def _entry(source: str, title: str, details: str, explanation: str) -> dict[str, str]:
    """Details that are hardly longer than their title only repeat it, and are left out."""
    observed = f"{title}: {details}" if len(details) > 2 * len(title) else title
    return {"source": source, "observed": observed, "explanation": explanation}
