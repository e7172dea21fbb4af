from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.nodes.anomaly_integrator import (
    consolidate_object,
    join_evidence,
    pool_candidates,
    score_candidates,
    unite_passes,
)
from anomagent.state.analysis import AnalysisState
from anomagent.state.findings import Candidate, ObjectReport, PooledFinding, PooledPass, ScanFinding, ScanPass, Source
from anomagent.state.naming import same_object, same_phenomenon
from tests.asking import IMAGE, ScriptedAsk
from tests.nodes.running import BENT, CUP, FLOATS, chain_state, runtime_of


def pooled(object: str, phenomenon: str, *sources: Source) -> PooledFinding:
    """One finding of a consolidation pass."""
    return {"object": object, "phenomenon": phenomenon, "explanation": "gravity", "sources": list(sources)}


def seen(phenomenon: str, *objects: str) -> ScanFinding:
    """One finding of a scan."""
    return {"objects": list(objects), "phenomenon": phenomenon, "explanation": "gravity"}


def passes_of(*findings: Sequence[PooledFinding]) -> list[PooledPass]:
    """Consolidation passes in slots 0, 1, ..."""
    return [{"slot": slot, "findings": list(found)} for slot, found in enumerate(findings)]


def scans_of(*findings: Sequence[ScanFinding]) -> list[ScanPass]:
    """Scans in slots 0, 1, ..."""
    return [{"slot": slot, "findings": list(found)} for slot, found in enumerate(findings)]


FLOATING = pooled("cup", "the cup floats", "relations")
SMALL = pooled("chair", "far too small for its surroundings", "attributes")


class TestConsolidate:
    async def test_the_report_has_all_that_was_found(self) -> None:
        entry = {"phenomenon": "floats", "source": "both", "details": "a gap", "explanation": "gravity"}
        ask = ScriptedAsk().on("AnomalyIntegrator.consolidate", {"report": [entry], "contradictions": ["one handle"]})
        state = chain_state(
            attribute_observations=["bent"], attributes=[BENT], relation_observations=["gap"], relations=[FLOATS]
        )
        update = await consolidate_object(state, runtime_of(), ask=ask)
        report: ObjectReport = {
            "object": CUP,
            "attribute_observations": ["bent"],
            "attributes": [BENT],
            "relation_observations": ["gap"],
            "relations": [FLOATS],
            "report": [entry],  # pyright: ignore[reportAssignmentType]
            "contradictions": ["one handle"],
        }
        assert update["reports"] == [report]
        text = ask.asked[0].prompt.text
        assert "- bent: the cup is bent: it cannot be" in text
        assert "- cup, chair: it floats: gravity" in text
        assert ask.asked[0].object == "cup"


class TestPool:
    async def test_a_pass_is_kept_with_its_slot(self) -> None:
        ask = ScriptedAsk().on("AnomalyIntegrator.pool", {"candidates": [FLOATING]})
        task: Any = {"image": IMAGE, "slot": 2, "reports": [], "scans": scans_of([seen("it floats", "cup")])}
        update = await pool_candidates(task, runtime_of(), ask=ask)
        assert update["pools"] == [{"slot": 2, "findings": [FLOATING]}]
        assert "Scan 1:\n- cup: it floats: gravity" in ask.asked[0].prompt.text
        assert (ask.asked[0].slot, update["calls"][0]["slot"]) == (2, 2)


async def test_join_decides_nothing() -> None:
    assert await join_evidence({"image": IMAGE}) == {}


def state_after(pools: list[PooledPass], scans: Sequence[ScanPass] = (), failed: Sequence[str] = ()) -> AnalysisState:
    """The state after these passes and failures of these roles."""
    return {
        "image": IMAGE,
        "pools": pools,
        "scans": list(scans),
        "failures": [{"role": role, "object": None, "error": "refused", "message": "no"} for role in failed],
        "calls": [],
    }


async def outcomes_of(pools: list[PooledPass], scans: Sequence[ScanPass] = ()) -> list[str]:
    """What the scoring says about each candidate."""
    update = await score_candidates(state_after(pools, scans), runtime_of())
    return [entry["outcome"] for entry in update["candidates"]]


class TestPruning:
    made_up = pooled("cup", "it hums quietly")

    async def test_what_one_pass_of_several_made_up_is_pruned(self) -> None:
        (outcome,) = await outcomes_of(passes_of([self.made_up], [], []))
        assert outcome.startswith("pruned: ")

    async def test_a_second_pass_saves_it(self) -> None:
        assert await outcomes_of(passes_of([self.made_up], [self.made_up], [])) == [""]

    async def test_a_source_saves_it(self) -> None:
        assert await outcomes_of(passes_of([FLOATING], [], [])) == [""]

    async def test_a_scan_saves_it(self) -> None:
        assert await outcomes_of(passes_of([self.made_up], []), scans_of([seen("it hums quietly", "cup")])) == [""]

    async def test_a_single_pass_is_not_measured_against_others(self) -> None:
        assert await outcomes_of(passes_of([self.made_up])) == [""]


class TestScoring:
    async def test_no_candidate_still_goes_to_the_formatter(self) -> None:
        assert await score_candidates(state_after(passes_of([], [])), runtime_of()) == {"candidates": []}

    async def test_lean_settles_an_empty_list_without_the_formatter(self) -> None:
        update = await score_candidates(state_after([]), runtime_of(schedule="lean"))
        assert update == {"candidates": [], "anomalies": []}

    @pytest.mark.parametrize("schedule", ["paper", "lean"])
    async def test_without_any_answer_of_the_integrator_nothing_is_written(self, schedule: str) -> None:
        state = state_after([], failed=["AnomalyIntegrator"])
        assert await score_candidates(state, runtime_of(schedule=schedule)) == {}

    async def test_one_answer_is_enough(self) -> None:
        state = state_after(passes_of([FLOATING]), failed=["AnomalyIntegrator", "AnomalyIntegrator"])
        assert len((await score_candidates(state, runtime_of()))["candidates"]) == 1


class TestUnite:
    def test_equal_findings_of_several_passes_are_one_candidate_with_all_their_support(self) -> None:
        again = pooled("Cup", "cup floats", "scan")
        (candidate,) = unite_passes(passes_of([FLOATING], [], [again]), scans_of([], [seen("the cup floats", "cup")]))
        assert candidate == {
            "id": 1,
            "object": "cup",
            "phenomenon": "the cup floats",
            "explanation": "gravity",
            "passes": [0, 2],
            "scans": [1],
            "sources": ["relations", "scan"],
            "outcome": "",
        }

    def test_different_phenomena_and_different_objects_stay_apart(self) -> None:
        other_cup = pooled("cup 2", "the cup floats", "scan")
        first_cup = pooled("cup 1", "the cup floats", "scan")
        candidates = unite_passes(passes_of([SMALL, first_cup, other_cup], [other_cup]), [])
        assert [(entry["object"], entry["passes"]) for entry in candidates] == [
            ("chair", [0]),
            ("cup 1", [0]),
            ("cup 2", [0, 1]),
        ]

    def test_a_finding_twice_in_a_pass_counts_once(self) -> None:
        (candidate,) = unite_passes(passes_of([FLOATING, FLOATING]), [])
        assert candidate["passes"] == [0]

    def test_a_scan_of_something_else_supports_nobody(self) -> None:
        scans = scans_of([seen("the cup floats", "chair"), seen("the cup floats"), seen("it is bent", "cup")])
        assert unite_passes(passes_of([FLOATING]), scans)[0]["scans"] == []

    def test_scans_alone_make_no_candidate(self) -> None:
        assert unite_passes([], scans_of([seen("the cup floats", "cup")])) == []


objects = st.sampled_from(["cup", "Cup", "cup 1", "cup 2", "chair", "", "lamp"])
phenomena = st.sampled_from(["the cup floats", "cup floats", "bent leg", "two left hands", "", "far too small"])
sources = st.lists(st.sampled_from(["attributes", "relations", "scan"]), max_size=3)
pools = st.lists(
    st.lists(st.builds(lambda o, p, s: pooled(o, p, *s), objects, phenomena, sources), max_size=5), max_size=4
).map(lambda passes: passes_of(*passes))
scans = st.lists(
    st.lists(st.builds(lambda p, o: seen(p, *o), phenomena, st.lists(objects, max_size=2)), max_size=4), max_size=3
).map(lambda passes: scans_of(*passes))


@given(pools, scans)
def test_candidates_are_numbered_from_one(pools: list[PooledPass], scans: list[ScanPass]) -> None:
    candidates = unite_passes(pools, scans)
    assert [entry["id"] for entry in candidates] == list(range(1, len(candidates) + 1))


def alike(candidate: Candidate, name: str, phenomenon: str) -> bool:
    return same_object(candidate["object"], name) and same_phenomenon(candidate["phenomenon"], phenomenon)


@given(pools, scans)
def test_every_finding_is_in_a_candidate_that_says_the_same(pools: list[PooledPass], scans: list[ScanPass]) -> None:
    candidates = unite_passes(pools, scans)
    for pool in pools:
        homes = [entry for entry in candidates if pool["slot"] in entry["passes"]]
        for found in pool["findings"]:
            assert any(alike(entry, found["object"], found["phenomenon"]) for entry in homes)
        for entry in homes:
            assert any(alike(entry, found["object"], found["phenomenon"]) for found in pool["findings"])


@given(pools, scans)
def test_a_pass_keeps_different_phenomena_apart(pools: list[PooledPass], scans: list[ScanPass]) -> None:
    candidates = unite_passes(pools, scans)
    for pool in pools:
        said = {found["phenomenon"] for found in pool["findings"] if found["object"] == "chair"}
        homes = [entry for entry in candidates if pool["slot"] in entry["passes"] and entry["object"] == "chair"]
        assert len(homes) == len(said)


@given(pools, scans)
def test_a_scan_finding_supports_at_most_one_candidate(pools: list[PooledPass], scans: list[ScanPass]) -> None:
    candidates = unite_passes(pools, scans)
    for scan in scans:
        supported = [entry for entry in candidates if scan["slot"] in entry["scans"]]
        assert len(supported) <= len(scan["findings"])
        for found in scan["findings"]:
            name = (found["objects"] or [""])[0]
            fitting = [entry for entry in candidates if alike(entry, name, found["phenomenon"])]
            assert not fitting or any(scan["slot"] in entry["scans"] for entry in fitting)


@given(pools, scans)
def test_repeating_a_pass_adds_support_and_no_candidate(pools: list[PooledPass], scans: list[ScanPass]) -> None:
    for pool in pools:
        again: PooledPass = {"slot": pool["slot"] + 10, "findings": pool["findings"]}
        once, twice = unite_passes([pool], scans), unite_passes([pool, again], scans)
        assert [entry["phenomenon"] for entry in twice] == [entry["phenomenon"] for entry in once]
        assert all(entry["passes"] == [pool["slot"], again["slot"]] for entry in twice)


@given(pools, scans)
def test_passes_and_scans_are_not_changed(pools: list[PooledPass], scans: list[ScanPass]) -> None:
    before = repr((pools, scans))
    unite_passes(pools, scans)
    assert repr((pools, scans)) == before
