"""Claims as the pipeline stores them between two steps."""

from collections.abc import Mapping
from random import Random

from anomagent.scenes.training.facts import Claim
from anomagent.scenes.training.upstream import Listed
from anomagent.state.findings import Candidate, Finding, ObjectReport, ReportItem, ScanFinding


def attribute_finding(claim: Claim) -> Finding:
    """As the AttributeAnalyzer's node keeps it."""
    return {
        "objects": [claim.name],
        "name": claim.anomaly.title,
        "issue": claim.anomaly.phrase,
        "explanation": claim.reasoning,
        "source": "attributes",
    }


def relation_finding(claim: Claim) -> Finding:
    """As the RelationReasoner's node keeps it: its reply has no title, the issue serves as one."""
    return {
        "objects": list(claim.objects),
        "name": claim.anomaly.phrase,
        "issue": claim.anomaly.phrase,
        "explanation": claim.reasoning,
        "source": "relations",
    }


def scan_finding(claim: Claim) -> ScanFinding:
    """As a scan reports it."""
    return {"objects": list(claim.objects), "phenomenon": claim.anomaly.phrase, "explanation": claim.reasoning}


def report_item(claim: Claim) -> ReportItem:
    """As the first step of the AnomalyIntegrator writes it."""
    return {
        "phenomenon": claim.anomaly.title,
        "source": "description" if claim.anomaly.agent == "attribute" else "relations",
        "details": claim.anomaly.phrase,
        "explanation": claim.reasoning,
    }


def object_reports(
    listed: list[Listed], claims: Mapping[str, list[Claim]], *, consolidated: bool
) -> list[ObjectReport]:
    """One report per object, with or without the consolidation that only the paper's schedule has."""
    return [_object_report(entry, claims[entry.object["name"]], consolidated) for entry in listed]


def candidates_for(claims: list[Claim], true: list[Claim], rng: Random) -> list[Candidate]:
    """Numbered candidates; what is true tends to have been seen more often, though not always."""
    rounds = rng.choice((1, 1, 1, 2, 3, 3))
    return [
        {
            "id": number,
            "object": claim.name,
            "phenomenon": claim.anomaly.phrase,
            "explanation": claim.reasoning,
            "passes": _slots(rng, rounds, claim in true) or [0],
            "scans": _slots(rng, rounds, claim in true),
            "sources": [],
            "outcome": "",
        }
        for number, claim in enumerate(claims, start=1)
    ]


def _object_report(entry: Listed, claims: list[Claim], consolidated: bool) -> ObjectReport:
    return {
        "object": entry.object,
        "attribute_observations": [],
        "attributes": [attribute_finding(claim) for claim in claims if claim.anomaly.agent == "attribute"],
        "relation_observations": [],
        "relations": [relation_finding(claim) for claim in claims if claim.anomaly.agent == "relation"],
        "report": [report_item(claim) for claim in claims] if consolidated else [],
        "contradictions": [],
    }


def _slots(rng: Random, rounds: int, true: bool) -> list[int]:
    return [slot for slot in range(rounds) if rng.random() < (0.85 if true else 0.5)]
