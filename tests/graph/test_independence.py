"""Nobody waits for whom they do not need. A graph that made them wait would never come to its end here."""

from __future__ import annotations

import asyncio
import random

import pytest

from anomagent.state.context import AnalysisContext
from tests.asking import Question, ScriptedAsk
from tests.graph.world import analyze, names_of, world_of

HANGS = 30.0
"""Seconds after which a run counts as hanging; a sound one takes a fraction of one."""


async def run(ask: ScriptedAsk, schedule: str = "paper") -> None:
    """Analyse, or raise `TimeoutError` where somebody waits for ever."""
    async with asyncio.timeout(HANGS):
        await analyze(ask, AnalysisContext.model_validate({"schedule": schedule}))


def last_step(schedule: str) -> str:
    """The end of an object's chain."""
    return "AnomalyIntegrator.consolidate" if schedule == "paper" else "RelationReasoner.reason"


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_a_slow_scan_holds_back_no_object(schedule: str) -> None:
    ask = world_of(names_of(3))
    ended: set[str | None] = set()
    all_ended = asyncio.Event()

    async def pause(question: Question) -> None:
        if question.step == last_step(schedule):
            ended.add(question.object)
            if len(ended) == 3:
                all_ended.set()
        if question.step == "SceneScanner.scan":
            await all_ended.wait()

    ask.pause = pause
    await run(ask, schedule)
    assert all_ended.is_set()


@pytest.mark.parametrize("schedule", ["paper", "lean"])
@pytest.mark.parametrize("slow", [0, 1, 2])
async def test_a_slow_object_holds_back_no_other(schedule: str, slow: int) -> None:
    names = names_of(3)
    ask = world_of(names)
    ended: set[str | None] = set()
    others_ended = asyncio.Event()

    async def pause(question: Question) -> None:
        if question.object == names[slow]:
            await others_ended.wait()
        elif question.step == last_step(schedule):
            ended.add(question.object)
            if len(ended) == 2:
                others_ended.set()

    ask.pause = pause
    await run(ask, schedule)
    assert ended == set(names) - {names[slow]}


@pytest.mark.parametrize(
    ("step", "count"),
    [
        ("ObjectPerceiver.list", 3),
        ("SceneScanner.scan", 3),
        ("AttributeAnalyzer.examine", 4),
        ("RelationReasoner.verify", 4),
        ("AnomalyIntegrator.consolidate", 4),
        ("AnomalyIntegrator.pool", 3),
    ],
)
async def test_equals_are_asked_side_by_side(step: str, count: int) -> None:
    """Each waits until all have been asked."""
    ask = world_of(names_of(4))
    together = asyncio.Barrier(count)

    async def pause(question: Question) -> None:
        if question.step == step:
            await together.wait()

    ask.pause = pause
    await run(ask)


async def test_scans_start_at_once() -> None:
    ask = world_of(names_of(2))
    together = asyncio.Barrier(3 + 3)

    async def pause(question: Question) -> None:
        if question.step in ("ObjectPerceiver.list", "SceneScanner.scan"):
            await together.wait()

    ask.pause = pause
    await run(ask)


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_results_do_not_depend_on_which_answer_came_first(schedule: str) -> None:
    context = AnalysisContext.model_validate({"schedule": schedule})
    expected = await analyze(world_of(names_of(5)), context)
    answered: set[tuple[str, ...]] = set()
    for seed in range(5):
        ask = world_of(names_of(5))
        dice = random.Random(seed)

        async def pause(_: Question, dice: random.Random = dice) -> None:
            for _turn in range(dice.randrange(40)):
                await asyncio.sleep(0)

        ask.pause = pause
        assert await analyze(ask, context) == expected
        answered.add(tuple(map(str, ask.answered)))
    assert len(answered) > 1, "the runs must have differed for this to say anything"
