"""What each agent said on the way to a result, as one list an image: the material of ablations."""

from collections.abc import Mapping
from typing import Any, Final, Literal

Stage = Literal[
    "perceptions",
    "objects",
    "attributes",
    "relations",
    "reports",
    "scans",
    "pools",
    "candidates",
    "anomalies",
    "calls",
]
"""In the order of the work; all but attributes and relations are the lists of an `AnalysisResult` of that name.

- perceptions: one list of objects a pass of ObjectPerceiver; objects: their union
- attributes, relations: one entry an object, what AttributeAnalyzer or RelationReasoner observed and listed as issues
- reports: one entry an object, both of these and AnomalyIntegrator's report of them
- scans, pools: the whole-image scans and AnomalyIntegrator's consolidation passes
- candidates: with their support and what became of them; anomalies: the result
- calls: what was asked, with its key in the ledger and what it cost
"""

_OF_REPORTS: Final[Mapping[str, str]] = {"attributes": "attribute_observations", "relations": "relation_observations"}
"""Stages that are a part of each object's report: its issues have the stage's name, its observations this one."""


def stage_of(lists: Mapping[str, Any], stage: Stage) -> list[Any]:
    """What one stage gave, from the lists of an `AnalysisResult`, which has them in their order."""
    if stage not in _OF_REPORTS:
        return lists[stage]
    return [
        {
            "object": report["object"]["name"],
            "observations": report[_OF_REPORTS[stage]],
            "issues": report[stage],
        }
        for report in lists["reports"]
    ]
