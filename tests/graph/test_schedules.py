"""What each schedule asks: how many calls, of whom, in which order."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import pytest

from anomagent.prompts import TEMPLATES
from anomagent.state.context import AnalysisContext
from tests.asking import IMAGE
from tests.graph.world import analyze, names_of, world_of


@dataclass(frozen=True)
class Case:
    """T perception passes, S consolidation passes, G scans and N objects of the paper's schedule."""

    t: int
    s: int
    g: int
    n: int

    @property
    def id(self) -> str:
        return f"T{self.t} S{self.s} G{self.g} N{self.n}"

    @property
    def context(self) -> AnalysisContext:
        return AnalysisContext(perception_passes=self.t, consolidation_passes=self.s, scans=self.g)


PAPER = (Case(3, 3, 3, 4), Case(1, 1, 1, 1), Case(2, 4, 0, 3), Case(3, 3, 1, 7), Case(3, 3, 3, 0), Case(1, 1, 0, 0))


@pytest.mark.parametrize("case", PAPER, ids=lambda case: case.id)
async def test_paper_asks_t_1_5n_s_g_1_calls(case: Case) -> None:
    ask = world_of(names_of(case.n))
    state = await analyze(ask, case.context)
    assert len(ask.asked) == case.t + 1 + 5 * case.n + case.s + case.g + 1
    assert len(state["calls"]) == len(ask.asked)
    per_object = {
        "AttributeAnalyzer.examine": case.n,
        "AttributeAnalyzer.list": case.n,
        "RelationReasoner.judge": case.n,
        "RelationReasoner.verify": case.n,
        "AnomalyIntegrator.consolidate": case.n,
    }
    per_image = {
        "ObjectPerceiver.list": case.t,
        "ObjectPerceiver.merge": 1,
        "SceneScanner.scan": case.g,
        "AnomalyIntegrator.pool": case.s,
        "AnomalyFormatter.format": 1,
    }
    assert ask.counts() == +Counter(per_object | per_image)


@pytest.mark.parametrize("count", [0, 1, 2, 5])
@pytest.mark.parametrize("anomalous", [True, False], ids=["anomalous", "ordinary"])
async def test_lean_asks_at_most_4_2n_calls(count: int, anomalous: bool) -> None:
    ask = world_of(names_of(count), anomalous)
    state = await analyze(ask, AnalysisContext(schedule="lean"))
    # One perception, one scan and two calls an object; one pool and one formatting only where something was found.
    assert len(ask.asked) == 2 + 2 * count + (2 if anomalous and count else 0)
    assert len(state["calls"]) == len(ask.asked)
    assert len(state["anomalies"]) == (count if anomalous else 0)


async def test_lean_does_without_scans_too() -> None:
    ask = world_of(names_of(2))
    await analyze(ask, AnalysisContext(schedule="lean", scans=0))
    assert ask.counts()["SceneScanner.scan"] == 0
    assert len(ask.asked) == 3 + 2 * 2


async def test_lean_spends_no_formatting_on_candidates_that_were_not_pooled() -> None:
    ask = world_of(names_of(1)).on("AnomalyIntegrator.pool", {"candidates": []})
    state = await analyze(ask, AnalysisContext(schedule="lean"))
    assert ask.counts()["AnomalyFormatter.format"] == 0
    assert (state["candidates"], state["anomalies"]) == ([], [])


async def test_direct_asks_once() -> None:
    ask = world_of(names_of(3))
    state = await analyze(ask, AnalysisContext(schedule="direct"))
    assert ask.steps() == ["DirectDetector.detect"]
    assert [entry["objects"] for entry in state["anomalies"]] == [["cup"], ["chair"], ["lamp"]]


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_roles_speak_in_the_papers_order(schedule: str) -> None:
    ask = world_of(names_of(3))
    await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))
    order = [f"{template.role}.{template.step}" for template in TEMPLATES]
    for name in (None, "cup", "chair", "lamp"):
        spoken = [q.step for q in ask.asked if q.object in (None, name) and q.step != "SceneScanner.scan"]
        assert spoken == sorted(spoken, key=order.index)
    assert ask.steps().index("SceneScanner.scan") < ask.steps().index("AnomalyIntegrator.pool")


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_the_results_of_a_step_reach_the_next(schedule: str) -> None:
    ask = world_of(names_of(2))
    await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))
    texts = {f"{q.step}/{q.object}": q.prompt.text for q in ask.asked}
    reasoning = "RelationReasoner.judge/cup" if schedule == "paper" else "RelationReasoner.reason/cup"
    assert "- chair: the chair" in texts[reasoning]
    assert "- cup: the cup" not in texts[reasoning], "an object is not among its others"
    assert "odd shape: cup is bent" in texts[reasoning]
    assert "cup floats freely" in texts["AnomalyIntegrator.pool/None"]
    assert "1. cup: cup floats freely" in texts["AnomalyFormatter.format/None"]
    assert "(passes 3, scans 3)" in texts["AnomalyFormatter.format/None"] or schedule == "lean"


async def test_every_intermediate_output_is_kept() -> None:
    state = await analyze(world_of(names_of(2)), AnalysisContext())
    assert [[entry["name"] for entry in one] for one in state["perceptions"]] == [["cup", "chair"]] * 3
    assert [entry["name"] for entry in state["objects"]] == ["cup", "chair"]
    assert [report["object"]["name"] for report in state["reports"]] == ["cup", "chair"]
    assert all(report["attributes"] and report["relations"] and report["report"] for report in state["reports"])
    assert [scan["slot"] for scan in state["scans"]] == [0, 1, 2]
    assert [pool["slot"] for pool in state["pools"]] == [0, 1, 2]
    assert [(entry["passes"], entry["scans"], entry["outcome"]) for entry in state["candidates"]] == [
        ([0, 1, 2], [0, 1, 2], "kept")
    ] * 2
    assert [(entry["objects"], entry["support"]) for entry in state["anomalies"]] == [(["cup"], 6), (["chair"], 6)]
    assert state["failures"] == []


@pytest.mark.parametrize("schedule", ["paper", "lean", "direct"])
@pytest.mark.parametrize("count", [0, 2])
async def test_nothing_found_is_a_result(schedule: str, count: int) -> None:
    state = await analyze(
        world_of(names_of(count), anomalous=False), AnalysisContext.model_validate({"schedule": schedule})
    )
    assert (state["anomalies"], state["failures"]) == ([], [])


async def test_no_object_does_not_silence_the_scans() -> None:
    """What objects miss is what the scans are for."""
    ask = world_of(names_of(1)).on("ObjectPerceiver.merge", {"objects": []})
    state = await analyze(ask, AnalysisContext())
    assert (state["objects"], len(state["anomalies"])) == ([], 1)


async def test_every_call_gets_the_image_the_context_and_its_own_slot() -> None:
    context = AnalysisContext(model="openai:a", scene_scanner="openai:b", relation_reasoner="openai:c")
    ask = world_of(names_of(2))
    await analyze(ask, context)
    assert all(question.image == IMAGE for question in ask.asked)
    models = {question.prompt.role: question.context.model_for(question.prompt.role) for question in ask.asked}
    assert models == {
        "ObjectPerceiver": "openai:a",
        "AttributeAnalyzer": "openai:a",
        "RelationReasoner": "openai:c",
        "AnomalyIntegrator": "openai:a",
        "AnomalyFormatter": "openai:a",
        "SceneScanner": "openai:b",
    }
    assert len({str(question) for question in ask.asked}) == len(ask.asked), "no two calls are the same"


async def test_objects_beyond_the_limit_are_reported_and_cost_nothing() -> None:
    ask = world_of(names_of(4))
    state = await analyze(ask, AnalysisContext(max_objects=3))
    assert ask.counts()["AttributeAnalyzer.examine"] == 3
    assert [failure["error"] for failure in state["failures"]] == ["too_many_objects"]
    assert "anomalies" in state
