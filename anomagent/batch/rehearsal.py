"""An image's calls before there is an image: the real prompts of a schedule, filled with texts of assumed lengths."""

from dataclasses import dataclass
from typing import Any

from anomagent.prompts import (
    Prompt,
    anomaly_formatter,
    anomaly_integrator,
    attribute_analyzer,
    direct_detector,
    object_perceiver,
    relation_reasoner,
    scene_scanner,
)
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import Candidate, DetectedObject, Finding, ObjectReport, ScanFinding

CHARACTERS_PER_TOKEN = 4
"""English text; the rule of thumb that OpenAI and Google give."""
MESSAGE_TOKENS = 10
"""What the layout of a conversation adds to one request."""

PRIOR_OBJECTS = 15
"""N where a workspace has no history. With the lengths below the paper's schedule then costs what was published: 194
thousand tokens an image (4.17 billion for 21,539 images, T = S = G = 3, GPT-4o); with N = 11 or 12 it costs the
released version's median of 150 thousand. No source gives N: N and the lengths are one assumption that fits both."""

NAME, DESCRIPTION, OBSERVATION, TITLE, ISSUE, EXPLANATION = 14, 200, 160, 32, 150, 220
"""Characters of a text of each sort, as models of GPT-4o's size write them."""
OBSERVATIONS = 8
"""Observations of one object by one agent."""
FINDINGS = 1
"""Issues of one object by one agent: about 1 in each of two looks, before anything is dropped."""
ANOMALIES = 6
"""Anomalies of an image in a whole-image scan and in the final report."""


@dataclass(frozen=True)
class Rehearsed:
    """One call that an analysis would make."""

    prompt: Prompt
    answer_characters: int
    slot: int = 0

    @property
    def text_tokens(self) -> int:
        """Input tokens without the image."""
        return text_tokens(self.prompt.system) + text_tokens(self.prompt.text) + MESSAGE_TOKENS

    @property
    def output_tokens(self) -> int:
        """Tokens of the answer."""
        return -(-self.answer_characters // CHARACTERS_PER_TOKEN)


def text_tokens(text: str) -> int:
    """Tokens of a text, by its length."""
    return -(-len(text) // CHARACTERS_PER_TOKEN)


def rehearse(context: AnalysisContext, objects: int = PRIOR_OBJECTS) -> list[Rehearsed]:
    """The calls about one image with this many objects, none failing: T + 1 + 5N + S + G + 1 of them in `paper`."""
    if context.schedule == "direct":
        return [Rehearsed(direct_detector.render_detect(), ANOMALIES * _ANOMALY)]
    things = [_object(number) for number in range(1, objects + 1)]
    passes, consolidations, scans = context.passes
    calls = [Rehearsed(object_perceiver.render_list(slot), _listed(things), slot) for slot in range(passes)]
    calls += [Rehearsed(scene_scanner.render_scan(slot), ANOMALIES * _FOUND, slot) for slot in range(scans)]
    paper = context.schedule == "paper"
    if paper:
        calls.append(Rehearsed(object_perceiver.render_merge([things] * passes), _listed(things)))
    steps = [_paper_steps(thing, things) if paper else _lean_steps(thing, things) for thing in things]
    calls += [call for step in zip(*steps, strict=True) for call in step]
    pool = anomaly_integrator.render_pool([_report(thing) for thing in things], [_scan()] * scans, consolidated=paper)
    calls += [Rehearsed(pool, _candidates(objects) * _FOUND, slot) for slot in range(consolidations)]
    kept = [_candidate(number) for number in range(1, _candidates(objects) + 1)]
    return [*calls, Rehearsed(anomaly_formatter.render_format(things, kept), ANOMALIES * _ANOMALY)]


def _paper_steps(thing: DetectedObject, things: list[DetectedObject]) -> list[Rehearsed]:
    """The five calls of one object."""
    others = [other for other in things if other is not thing]
    observations = [_words(f"observation {number}", OBSERVATION) for number in range(OBSERVATIONS)]
    found = _findings(thing)
    looked, listed = OBSERVATIONS * (OBSERVATION + 4), FINDINGS * _FOUND
    return [
        Rehearsed(attribute_analyzer.render_examine(thing), looked),
        Rehearsed(attribute_analyzer.render_list(thing, observations), listed),
        Rehearsed(relation_reasoner.render_judge(thing, others, found), looked),
        Rehearsed(relation_reasoner.render_verify(thing, others, found, observations), listed),
        Rehearsed(anomaly_integrator.render_consolidate(thing, found, found), 2 * FINDINGS * _FOUND),
    ]


def _lean_steps(thing: DetectedObject, things: list[DetectedObject]) -> list[Rehearsed]:
    """The two calls of one object."""
    others = [other for other in things if other is not thing]
    characters = OBSERVATIONS * (OBSERVATION + 4) + FINDINGS * _FOUND
    return [
        Rehearsed(attribute_analyzer.render_analyze(thing), characters),
        Rehearsed(relation_reasoner.render_reason(thing, others, _findings(thing)), characters),
    ]


_FOUND = TITLE + ISSUE + EXPLANATION + 50
_ANOMALY = TITLE + ISSUE + EXPLANATION + 130
"""With the JSON around the texts."""


def _candidates(objects: int) -> int:
    """Candidates of an image: what the objects' agents and the scans found, repeats merged."""
    return objects * FINDINGS + ANOMALIES // 2


def _listed(things: list[DetectedObject]) -> int:
    return len(things) * (NAME + DESCRIPTION + 30)


def _words(start: str, length: int) -> str:
    return f"{start} {'is as large and as bright as what stands beside it, ' * (length // 50 + 1)}"[:length]


def _object(number: int) -> DetectedObject:
    return {"name": f"object {number}"[:NAME], "description": _words(f"object {number}", DESCRIPTION)}


def _findings(thing: DetectedObject) -> list[Finding]:
    issue, why = _words(thing["name"], ISSUE), _words(thing["name"], EXPLANATION)
    finding: Finding = {
        "objects": [thing["name"]],
        "name": _words(thing["name"], TITLE),
        "issue": issue,
        "explanation": why,
        "source": "attributes",
    }
    return [finding] * FINDINGS


def _report(thing: DetectedObject) -> ObjectReport:
    found = _findings(thing)
    entry: Any = {
        "phenomenon": found[0]["name"],
        "source": "both",
        "details": found[0]["issue"],
        "explanation": found[0]["explanation"],
    }
    return {
        "object": thing,
        "attribute_observations": [],
        "attributes": found,
        "relation_observations": [],
        "relations": found,
        "report": [entry] * 2 * FINDINGS,
        "contradictions": [],
    }


def _scan() -> list[ScanFinding]:
    seen: ScanFinding = {
        "objects": [_words("object", NAME)],
        "phenomenon": _words("scan", ISSUE),
        "explanation": _words("scan", EXPLANATION),
    }
    return [seen] * ANOMALIES


def _candidate(number: int) -> Candidate:
    return {
        "id": number,
        "object": f"object {number}",
        "phenomenon": _words(f"candidate {number}", ISSUE),
        "explanation": _words(f"candidate {number}", EXPLANATION),
        "passes": [0],
        "scans": [],
        "sources": ["attributes"],
        "outcome": "",
    }
