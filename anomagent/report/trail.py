"""What every agent said about one image, in the order of the pipeline: the same for the terminal and for the page."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from anomagent.state.findings import Finding, ObjectReport
from anomagent.store import StoredAnalysis


@dataclass(frozen=True)
class Statement:
    """One thing that an agent said: a title, and the rest of it."""

    title: str
    text: str = ""


@dataclass(frozen=True)
class Section:
    """What one agent said at one place: about an object, or in one pass over the image."""

    agent: str
    about: str
    statements: list[Statement] = field(default_factory=list[Statement])


def trail_of(analysis: StoredAnalysis) -> list[Section]:
    """Every agent's statements: perception passes, each object's chain, scans, consolidation passes."""
    sections = [
        Section("ObjectPerceiver", f"pass {number}", [Statement(o["name"], o["description"]) for o in objects])
        for number, objects in enumerate(analysis["perceptions"], start=1)
    ]
    for report in analysis["reports"]:
        sections.extend(_chain(report))
    for scan in analysis["scans"]:
        said = [Statement(f["phenomenon"], _about(f["objects"], f["explanation"])) for f in scan["findings"]]
        sections.append(Section("SceneScanner", f"scan {scan['slot'] + 1}", said))
    for pool in analysis["pools"]:
        said = [Statement(f["phenomenon"], _about([f["object"]], f["explanation"])) for f in pool["findings"]]
        sections.append(Section("AnomalyIntegrator", f"consolidation {pool['slot'] + 1}", said))
    return sections


def _chain(report: ObjectReport) -> Iterator[Section]:
    name = report["object"]["name"]
    observed = [Statement(text) for text in report["attribute_observations"]]
    yield Section("AttributeAnalyzer", name, observed + [_issue(finding) for finding in report["attributes"]])
    judged = [Statement(text) for text in report["relation_observations"]]
    yield Section("RelationReasoner", name, judged + [_issue(finding) for finding in report["relations"]])
    merged = [
        Statement(item["phenomenon"], f"{_sentences(item['details'], item['explanation'])} (from: {item['source']})")
        for item in report["report"]
    ]
    contradictions = [Statement("contradiction", text) for text in report["contradictions"]]
    if merged or contradictions:
        yield Section("AnomalyIntegrator", name, merged + contradictions)


def _issue(finding: Finding) -> Statement:
    return Statement(
        f"issue: {finding['name']}", _about(finding["objects"], _sentences(finding["issue"], finding["explanation"]))
    )


def _sentences(*parts: str) -> str:
    """The parts as sentences of one paragraph."""
    return ". ".join(part.strip().removesuffix(".") for part in parts if part.strip()) + "."


def _about(objects: Sequence[str], text: str) -> str:
    names = ", ".join(name for name in objects if name)
    return f"[{names}] {text}" if names else text
