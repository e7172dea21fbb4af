"""A failure costs what failed, is listed with its reason, and everything else is as if nothing had happened."""

from __future__ import annotations

from typing import Any

import pytest

from anomagent.errors import BadRequest, ConfigurationError, CutOff, Malformed, OutOfBudget, RateLimited, Refused
from anomagent.state.context import AnalysisContext
from tests.asking import IMAGE, ScriptedAsk
from tests.graph.world import analyze, names_of, world_of

PAPER_CHAIN = (
    "AttributeAnalyzer.examine",
    "AttributeAnalyzer.list",
    "RelationReasoner.judge",
    "RelationReasoner.verify",
    "AnomalyIntegrator.consolidate",
)
LEAN_CHAIN = ("AttributeAnalyzer.analyze", "RelationReasoner.reason")
CHAINS = [("paper", PAPER_CHAIN, step) for step in PAPER_CHAIN] + [("lean", LEAN_CHAIN, step) for step in LEAN_CHAIN]


def fail(ask: ScriptedAsk, step: str, error: type[Exception] = Refused, **where: Any) -> ScriptedAsk:
    """Let a step fail, each time with a new error."""
    return ask.on(step, lambda _: error("scripted"), **where)


def failures_of(state: dict[str, Any]) -> list[tuple[str, str | None, str]]:
    """Role, object and kind of every failure."""
    return [(failure["role"], failure["object"], failure["error"]) for failure in state["failures"]]


@pytest.mark.parametrize(("schedule", "chain", "step"), CHAINS, ids=lambda part: str(part) if "." in part else None)
async def test_one_objects_failure_costs_that_object(schedule: str, chain: tuple[str, ...], step: str) -> None:
    context = AnalysisContext.model_validate({"schedule": schedule})
    whole = await analyze(world_of(names_of(3)), context)
    ask = fail(world_of(names_of(3)), step, object="chair")
    state = await analyze(ask, context)

    assert failures_of(state) == [(step.partition(".")[0], "chair", "refused")]
    assert state["failures"][0]["message"] == "scripted"
    assert state["reports"] == [report for report in whole["reports"] if report["object"]["name"] != "chair"]
    assert "anomalies" in state
    said_of_chair = [f"{call['role']}.{call['step']}" for call in state["calls"] if call["object"] == "chair"]
    assert said_of_chair == list(chain[: chain.index(step) + 1]), "what was paid for is counted, the failed call too"
    assert len(state["calls"]) == len(ask.asked)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (Refused, "refused"),
        (CutOff, "cut_off"),
        (Malformed, "malformed"),
        (RateLimited, "rate_limited"),
        (BadRequest, "bad_request"),
        (OutOfBudget, "out_of_budget"),
    ],
)
async def test_every_kind_of_failure_is_data(error: type[Exception], code: str) -> None:
    state = await analyze(fail(world_of(names_of(2)), "SceneScanner.scan", error, slot=1), AnalysisContext())
    assert failures_of(state) == [("SceneScanner", None, code)]


async def test_several_objects_may_fail_at_different_steps() -> None:
    ask = world_of(names_of(3))
    fail(ask, "AttributeAnalyzer.examine", object="cup")
    fail(ask, "RelationReasoner.verify", object="lamp")
    state = await analyze(ask, AnalysisContext())
    assert sorted(failures_of(state)) == [
        ("AttributeAnalyzer", "cup", "refused"),
        ("RelationReasoner", "lamp", "refused"),
    ]
    assert [report["object"]["name"] for report in state["reports"]] == ["chair"]
    assert len(state["anomalies"]) == 3, "the passes and scans speak for the image"


class TestPerception:
    async def test_one_pass_that_fails_is_done_without(self) -> None:
        ask = fail(world_of(names_of(2)), "ObjectPerceiver.list", slot=1)
        state = await analyze(ask, AnalysisContext())
        assert failures_of(state) == [("ObjectPerceiver", None, "refused")]
        assert len(state["perceptions"]) == 2
        assert len(state["anomalies"]) == 2
        assert ask.counts()["ObjectPerceiver.merge"] == 1

    @pytest.mark.parametrize("schedule", ["paper", "lean"])
    async def test_without_any_pass_there_is_no_result(self, schedule: str) -> None:
        ask = fail(world_of(names_of(2)), "ObjectPerceiver.list")
        context = AnalysisContext.model_validate({"schedule": schedule})
        state = await analyze(ask, context)
        assert "anomalies" not in state
        assert failures_of(state) == [("ObjectPerceiver", None, "refused")] * context.passes[0]
        assert set(ask.steps()) == {"ObjectPerceiver.list", "SceneScanner.scan"}
        assert len(state["calls"]) == len(ask.asked)

    async def test_without_the_merge_there_is_no_result(self) -> None:
        ask = fail(world_of(names_of(2)), "ObjectPerceiver.merge")
        state = await analyze(ask, AnalysisContext())
        assert "anomalies" not in state
        assert failures_of(state) == [("ObjectPerceiver", None, "refused")]
        assert len(state["perceptions"]) == 3, "what was seen is kept"


class TestScans:
    @pytest.mark.parametrize("slot", [0, 2, None], ids=["first", "last", "all"])
    async def test_a_scan_that_fails_costs_no_other_call(self, slot: int | None) -> None:
        ask = fail(world_of(names_of(2)), "SceneScanner.scan", slot=slot)
        state = await analyze(ask, AnalysisContext())
        failed = 3 if slot is None else 1
        assert failures_of(state) == [("SceneScanner", None, "refused")] * failed
        assert len(state["scans"]) == 3 - failed
        assert len(ask.asked) == 11 + 5 * 2
        assert [entry["support"] for entry in state["anomalies"]] == [6 - failed] * 2


class TestNobodyLooked:
    @pytest.mark.parametrize(("schedule", "chain"), [("paper", PAPER_CHAIN), ("lean", LEAN_CHAIN)])
    async def test_where_every_object_and_every_scan_failed_there_is_no_result(
        self, schedule: str, chain: tuple[str, ...]
    ) -> None:
        """An empty list would claim that somebody looked and found nothing."""
        ask = fail(fail(world_of(names_of(2)), chain[0]), "SceneScanner.scan")
        state = await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))
        assert "anomalies" not in state
        assert ask.counts()["AnomalyIntegrator.pool"] == 0

    @pytest.mark.parametrize(("schedule", "chain"), [("paper", PAPER_CHAIN), ("lean", LEAN_CHAIN)])
    async def test_a_scan_alone_is_a_look(self, schedule: str, chain: tuple[str, ...]) -> None:
        ask = fail(world_of(names_of(2)), chain[0])
        state = await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))
        assert len(state["anomalies"]) == 2
        assert len(state["failures"]) == 2


class TestConsolidation:
    async def test_one_pass_that_fails_is_done_without(self) -> None:
        ask = fail(world_of(names_of(2)), "AnomalyIntegrator.pool", slot=0)
        state = await analyze(ask, AnalysisContext())
        assert failures_of(state) == [("AnomalyIntegrator", None, "refused")]
        assert [entry["passes"] for entry in state["candidates"]] == [[1, 2], [1, 2]]
        assert ask.counts()["AnomalyFormatter.format"] == 1

    @pytest.mark.parametrize("schedule", ["paper", "lean"])
    async def test_without_any_pass_there_is_no_result(self, schedule: str) -> None:
        ask = fail(world_of(names_of(2)), "AnomalyIntegrator.pool")
        state = await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))
        assert "anomalies" not in state
        assert "candidates" not in state
        assert len(state["reports"]) == 2, "what was found is kept"
        assert ask.counts()["AnomalyFormatter.format"] == 0

    async def test_an_object_and_every_pass_that_found_nothing_are_not_mixed_up(self) -> None:
        """A failed report of one object is no reason to throw away passes that answered "nothing"."""
        ask = fail(world_of(names_of(2)), "AnomalyIntegrator.consolidate", object="cup")
        ask.on("AnomalyIntegrator.pool", {"candidates": []}).on(
            "AnomalyFormatter.format", {"anomalies": [], "dropped": []}
        )
        state = await analyze(ask, AnalysisContext())
        assert (state["candidates"], state["anomalies"]) == ([], [])


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_without_the_formatter_there_is_no_result_but_the_candidates(schedule: str) -> None:
    ask = fail(world_of(names_of(2)), "AnomalyFormatter.format", Malformed)
    state = await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))
    assert "anomalies" not in state
    assert [entry["outcome"] for entry in state["candidates"]] == ["", ""]
    assert failures_of(state) == [("AnomalyFormatter", None, "malformed")]


async def test_without_the_direct_detector_there_is_no_result() -> None:
    ask = fail(world_of(names_of(2)), "DirectDetector.detect")
    state = await analyze(ask, AnalysisContext(schedule="direct"))
    assert "anomalies" not in state
    assert failures_of(state) == [("DirectDetector", None, "refused")]
    assert len(state["calls"]) == 1


EVERY_STEP = [
    *[("paper", step) for step in ("ObjectPerceiver.list", "ObjectPerceiver.merge", "SceneScanner.scan", *PAPER_CHAIN)],
    *[("paper", step) for step in ("AnomalyIntegrator.pool", "AnomalyFormatter.format")],
    *[("lean", step) for step in LEAN_CHAIN],
    ("direct", "DirectDetector.detect"),
]


@pytest.mark.parametrize("error", [ValueError, ConfigurationError], ids=lambda error: error.__name__)
@pytest.mark.parametrize(("schedule", "step"), EVERY_STEP)
async def test_a_bug_rises(schedule: str, step: str, error: type[Exception]) -> None:
    """Only what models fail at is data; a bug or a wrong configuration must not look like a partial result."""
    with pytest.raises(error, match="scripted"):
        await analyze(fail(world_of(names_of(2)), step, error), AnalysisContext.model_validate({"schedule": schedule}))


async def test_a_thread_of_failures_is_not_continued() -> None:
    from langgraph.checkpoint.memory import InMemorySaver

    from anomagent.errors import UsageError

    saver = InMemorySaver()
    await analyze(fail(world_of(names_of(1)), "ObjectPerceiver.list"), AnalysisContext(), checkpointer=saver)
    with pytest.raises(UsageError, match="new thread"):
        await analyze(world_of(names_of(1)), AnalysisContext(), checkpointer=saver, start={"image": IMAGE})
