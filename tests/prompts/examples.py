"""One example of everything that goes into a prompt, and every prompt that can be asked."""

from __future__ import annotations

from dataclasses import dataclass

from anomagent.prompts import (
    Prompt,
    anomaly_formatter,
    anomaly_integrator,
    anomaly_judge,
    anomaly_reporter,
    attribute_analyzer,
    deepfake_detector,
    direct_detector,
    kind_classifier,
    object_perceiver,
    relation_reasoner,
    scene_scanner,
)
from anomagent.state.findings import Anomaly, Candidate, DetectedObject, Finding, ObjectReport, ScanFinding

CUP: DetectedObject = {"name": "cup", "description": "a blue cup above the left end of the table"}
CHAIR: DetectedObject = {"name": "chair", "description": "a wooden chair with five legs, right"}
BENT: Finding = {
    "objects": ["cup"],
    "name": "two handles",
    "issue": "a second handle grows out of the rim",
    "explanation": "cups are held by one handle",
    "source": "attributes",
}
FLOATS: Finding = {
    "objects": ["cup", "table"],
    "name": "nothing carries it",
    "issue": "there is air between cup and table",
    "explanation": "a cup falls where nothing carries it",
    "source": "relations",
}
SEEN = ["one handle at the right, one at the rim", "the outline is round"]
SCANNED: ScanFinding = {
    "objects": ["cup", "table"],
    "phenomenon": "the cup floats",
    "explanation": "nothing carries it",
}

FLOATING_CUP = Anomaly(
    name="Floating cup",
    phenomenon="The blue cup hangs above the left end of the table.",
    reasoning="Nothing carries it.",
    severity=5,
)
FIVE_LEGS = Anomaly(
    name="Five legs",
    phenomenon="The chair on the right has five legs.",
    reasoning="Chairs of this kind have four.",
    severity=40,
)


def report_of(entry: DetectedObject, consolidated: bool) -> ObjectReport:
    """A report with findings; `lean` leaves the consolidated part empty."""
    return {
        "object": entry,
        "attribute_observations": SEEN,
        "attributes": [BENT],
        "relation_observations": ["there is a gap"],
        "relations": [FLOATS],
        "report": [
            {
                "phenomenon": "the cup floats",
                "source": "relations",
                "details": "a gap below it",
                "explanation": "nothing carries it",
            },
            {
                "phenomenon": "two handles",
                "source": "both",
                "details": "one grows out of the rim",
                "explanation": "cups are held by one",
            },
        ]
        if consolidated
        else [],
        "contradictions": ["the description sees one handle"],
    }


def silent_report_of(entry: DetectedObject) -> ObjectReport:
    """A report without any finding."""
    return {
        "object": entry,
        "attribute_observations": [],
        "attributes": [],
        "relation_observations": [],
        "relations": [],
        "report": [],
        "contradictions": [],
    }


def candidate_of(id: int, passes: list[int], scans: list[int]) -> Candidate:
    """A candidate with this support."""
    return {
        "id": id,
        "object": "cup",
        "phenomenon": "the cup floats",
        "explanation": "nothing carries it",
        "passes": passes,
        "scans": scans,
        "sources": ["relations"],
        "outcome": "",
    }


CANDIDATES = [candidate_of(1, [0, 2], [1]), candidate_of(3, [1], [])]


@dataclass(frozen=True)
class Case:
    """A rendered prompt; `variant` tells several of one step apart."""

    prompt: Prompt
    variant: str = ""

    @property
    def id(self) -> str:
        """The stem of its golden file: role, step and variant."""
        return ".".join(part for part in (self.prompt.role, self.prompt.step, self.variant) if part)


CASES = (
    *(Case(object_perceiver.render_list(slot), f"pass{slot}") for slot in range(3)),
    Case(object_perceiver.render_merge([[CUP, CHAIR], [], [CUP]]), "full"),
    Case(object_perceiver.render_merge([[]]), "empty"),
    Case(attribute_analyzer.render_examine(CUP)),
    Case(attribute_analyzer.render_list(CUP, SEEN), "full"),
    Case(attribute_analyzer.render_list(CUP, []), "empty"),
    Case(attribute_analyzer.render_analyze(CUP)),
    Case(relation_reasoner.render_judge(CUP, [CHAIR], [BENT]), "full"),
    Case(relation_reasoner.render_judge(CUP, [], []), "empty"),
    Case(relation_reasoner.render_verify(CUP, [CHAIR], [BENT], SEEN), "full"),
    Case(relation_reasoner.render_verify(CUP, [], [], []), "empty"),
    Case(relation_reasoner.render_reason(CUP, [CHAIR], [BENT]), "full"),
    Case(relation_reasoner.render_reason(CUP, [], []), "empty"),
    *(Case(scene_scanner.render_scan(slot), f"scan{slot}") for slot in range(3)),
    Case(anomaly_integrator.render_consolidate(CUP, [BENT], [FLOATS]), "full"),
    Case(anomaly_integrator.render_consolidate(CUP, [], []), "empty"),
    Case(
        anomaly_integrator.render_pool(
            [report_of(CUP, True), silent_report_of(CHAIR)], [[SCANNED], []], consolidated=True
        ),
        "full",
    ),
    Case(
        anomaly_integrator.render_pool(
            [report_of(CUP, False), silent_report_of(CHAIR)], [[SCANNED]], consolidated=False
        ),
        "lean",
    ),
    Case(anomaly_integrator.render_pool([], [], consolidated=True), "empty"),
    Case(anomaly_formatter.render_format([CUP, CHAIR], CANDIDATES), "full"),
    Case(anomaly_formatter.render_format([], []), "empty"),
    Case(direct_detector.render_detect()),
)
"""Of the agents."""

ASSESSMENTS = (
    Case(anomaly_judge.render_match([FLOATING_CUP, FIVE_LEGS], [FIVE_LEGS]), "full"),
    Case(anomaly_judge.render_match([], []), "empty"),
    Case(kind_classifier.render_classify([FLOATING_CUP, FIVE_LEGS]), "full"),
    Case(kind_classifier.render_classify([]), "empty"),
)
"""Of those who read finished results."""

PREDICTIONS = (
    *(Case(anomaly_reporter.render_report("classic", n), f"wording{n}") for n in range(len(anomaly_reporter.WORDINGS))),
    Case(anomaly_reporter.render_report("json")),
    *(Case(deepfake_detector.render_decide(n), f"wording{n}") for n in range(len(deepfake_detector.QUESTIONS))),
)
"""Of those who answer alone."""
