"""The graph waits for a person after the report, and goes on with what they said."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.types import Command

from anomagent.graph.build import build_graph
from anomagent.nodes.human_review import QUESTION
from anomagent.state.context import AnalysisContext
from tests.asking import IMAGE
from tests.graph.world import names_of, refuse_to_ingest, world_of

CONFIG: RunnableConfig = {"configurable": {"thread_id": "one"}}
REVIEWED = AnalysisContext(schedule="direct", review=True)


class Desk:
    """A graph with a person beside it."""

    def __init__(self, anomalous: bool = True) -> None:
        self.ask = world_of(names_of(2), anomalous)
        self.graph = build_graph(self.ask, refuse_to_ingest, InMemorySaver())

    async def begin(self, context: AnalysisContext = REVIEWED) -> dict[str, Any]:
        return await self.graph.ainvoke({"image": IMAGE}, CONFIG, context=context)

    async def say(self, review: object, context: AnalysisContext = REVIEWED) -> dict[str, Any]:
        return await self.graph.ainvoke(Command(resume=review), CONFIG, context=context)


@pytest.mark.parametrize("schedule", ["paper", "lean", "direct"])
async def test_it_waits_and_goes_on_without_asking_a_model_again(schedule: Any) -> None:
    desk, context = Desk(), AnalysisContext(schedule=schedule, review=True)
    waiting = await desk.begin(context)
    (asked,) = waiting["__interrupt__"]
    assert asked.value["question"] == QUESTION
    assert [anomaly["objects"] for anomaly in asked.value["anomalies"]] == [["cup"], ["chair"]]
    before = len(desk.ask.asked)
    rejected = {"verdict": "REJECT", "reason": "trivial", "note": "so what"}
    state = await desk.say({"annotator": "ann", "verdicts": ["ACCEPT", rejected]}, context)
    assert "__interrupt__" not in state
    assert len(desk.ask.asked) == before
    accepted = {"verdict": "ACCEPT", "reason": None, "note": None}
    assert state["review"] == {"annotator": "ann", "verdicts": [accepted, rejected]}


@pytest.mark.parametrize(
    ("review", "problem"),
    [
        ({"annotator": "ann", "verdicts": ["ACCEPT"]}, "1 verdicts for 2 anomalies"),
        ({"annotator": "", "verdicts": ["ACCEPT", "ACCEPT"]}, "annotator: "),
        ({"annotator": "ann", "verdicts": ["ACCEPT", "MAYBE"]}, "verdicts.1.verdict: "),
        ({"annotator": "ann", "verdicts": ["ACCEPT", {"verdict": "REJECT", "reason": "ugly"}]}, "verdicts.1.reason: "),
        ("not JSON", "the answer: "),
        (7, "the answer: "),
    ],
)
async def test_what_is_no_review_is_asked_again(review: object, problem: str) -> None:
    desk = Desk()
    await desk.begin()
    (again,) = (await desk.say(review))["__interrupt__"]
    assert again.value["problem"].startswith(problem)
    assert "\n" not in again.value["problem"]
    state = await desk.say('{"annotator": "ann", "verdicts": ["UNSURE", "ACCEPT"]}')
    assert [given["verdict"] for given in state["review"]["verdicts"]] == ["UNSURE", "ACCEPT"]


async def test_nobody_is_asked_about_nothing() -> None:
    state = await Desk(anomalous=False).begin(AnalysisContext(schedule="lean", review=True))
    assert state["anomalies"] == []
    assert "review" not in state
    assert "__interrupt__" not in state


async def test_without_a_wish_for_review_it_does_not_wait() -> None:
    desk = Desk()
    state = await desk.begin(AnalysisContext(schedule="direct"))
    assert len(state["anomalies"]) == 2
    assert "__interrupt__" not in state


async def test_a_thread_that_waits_can_be_finished_without_a_review() -> None:
    desk = Desk()
    await desk.begin()
    state = await desk.graph.ainvoke(None, CONFIG, context=AnalysisContext(schedule="direct"))
    assert len(state["anomalies"]) == 2
    assert "review" not in state
