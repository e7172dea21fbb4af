from __future__ import annotations

from typing import Any

from anomagent.nodes.anomaly_formatter import format_anomalies
from anomagent.state.analysis import AnalysisState
from anomagent.state.findings import Candidate
from tests.asking import IMAGE, ScriptedAsk
from tests.nodes.running import CUP, runtime_of


def candidate(id: int, passes: tuple[int, ...] = (0,), scans: tuple[int, ...] = (), outcome: str = "") -> Candidate:
    """A candidate with this support."""
    return {
        "id": id,
        "object": "cup",
        "phenomenon": f"phenomenon {id}",
        "explanation": "gravity",
        "passes": list(passes),
        "scans": list(scans),
        "sources": ["scan"],
        "outcome": outcome,
    }


def final(*covers: int, name: str = "floating cup") -> dict[str, Any]:
    """A final anomaly that covers these candidates."""
    return {
        "name": name,
        "phenomenon": "it floats",
        "reasoning": "gravity",
        "severity": 7,
        "objects": ["cup"],
        "covers": list(covers),
    }


def dropped(id: int, reason: str) -> dict[str, Any]:
    """A candidate that the model dropped."""
    return {"candidate": id, "reason": reason}


async def format_with(
    candidates: list[Candidate], anomalies: list[dict[str, Any]], drops: list[dict[str, Any]]
) -> tuple[dict[str, Any], ScriptedAsk]:
    """What the formatter makes of `candidates` when the model says this."""
    ask = ScriptedAsk().on("AnomalyFormatter.format", {"anomalies": anomalies, "dropped": drops})
    state: AnalysisState = {"image": IMAGE, "objects": [CUP], "candidates": candidates, "calls": [], "failures": []}
    return await format_anomalies(state, runtime_of(), ask=ask), ask


async def outcomes_of(
    candidates: list[Candidate], anomalies: list[dict[str, Any]], drops: list[dict[str, Any]]
) -> list[str]:
    """The outcome of every candidate."""
    update, _ = await format_with(candidates, anomalies, drops)
    return [entry["outcome"] for entry in update["candidates"]]


async def test_the_quadruple_is_the_models_and_the_support_is_counted() -> None:
    # Candidate 1: passes 0 and 1, scan 0. Candidate 2: passes 1 and 2. Together 3 passes and 1 scan.
    candidates = [candidate(1, (0, 1), (0,)), candidate(2, (1, 2))]
    update, _ = await format_with(candidates, [final(1, 2)], [])
    assert update["anomalies"] == [
        {
            "name": "floating cup",
            "phenomenon": "it floats",
            "reasoning": "gravity",
            "severity": 7,
            "objects": ["cup"],
            "support": 4,
        }
    ]
    assert len(update["calls"]) == 1


async def test_an_anomaly_without_a_candidate_has_no_support() -> None:
    update, _ = await format_with([candidate(1)], [final(), final(99)], [])
    assert [entry["support"] for entry in update["anomalies"]] == [0, 0]


async def test_every_candidate_gets_an_outcome() -> None:
    candidates = [candidate(1), candidate(2), candidate(3)]
    assert await outcomes_of(candidates, [final(1)], [dropped(2, "not visible")]) == [
        "kept",
        "dropped: not visible",
        "uncovered",
    ]


async def test_a_candidate_that_is_both_covered_and_dropped_is_kept() -> None:
    assert await outcomes_of([candidate(1)], [final(1)], [dropped(1, "trivial")]) == ["kept"]


async def test_the_first_reason_counts_and_an_empty_one_is_still_a_drop() -> None:
    assert await outcomes_of([candidate(1)], [], [dropped(1, ""), dropped(1, "late")]) == ["dropped: "]


async def test_a_drop_of_nothing_changes_nothing() -> None:
    assert await outcomes_of([candidate(1)], [final(1)], [dropped(8, "who?")]) == ["kept"]


async def test_pruned_candidates_are_neither_shown_nor_judged_nor_counted() -> None:
    pruned = candidate(1, (0, 1, 2), outcome="pruned: alone")
    update, ask = await format_with([pruned, candidate(2)], [final(1, 2)], [dropped(1, "x")])
    assert "phenomenon 1" not in ask.asked[0].prompt.text
    assert "2. cup: phenomenon 2" in ask.asked[0].prompt.text
    assert [entry["outcome"] for entry in update["candidates"]] == ["pruned: alone", "kept"]
    assert update["anomalies"][0]["support"] == 1


async def test_candidates_of_the_state_are_not_changed() -> None:
    candidates = [candidate(1)]
    await format_with(candidates, [final(1)], [])
    assert candidates == [candidate(1)]


async def test_no_candidate_is_asked_about_too() -> None:
    update, ask = await format_with([], [], [])
    assert (update["anomalies"], update["candidates"]) == ([], [])
    assert "Candidates:\nnone" in ask.asked[0].prompt.text
