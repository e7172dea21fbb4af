from __future__ import annotations

from typing import Any

import pytest

from anomagent.nodes.object_perceiver import merge_objects, perceive_objects
from anomagent.state.analysis import ObjectsState
from anomagent.state.findings import DetectedObject
from tests.asking import IMAGE, ScriptedAsk
from tests.nodes.running import CHAIR, CUP, runtime_of


def listed(*objects: DetectedObject) -> dict[str, Any]:
    """The model's reply that lists these objects."""
    return {"objects": list(objects)}


def state_of(*passes: list[DetectedObject]) -> ObjectsState:
    """The state after these perception passes."""
    return {"image": IMAGE, "perceptions": list(passes), "calls": [], "failures": []}


async def test_a_pass_is_kept_as_it_came() -> None:
    ask = ScriptedAsk().on("ObjectPerceiver.list", listed(CUP, CUP))
    update = await perceive_objects({"image": IMAGE, "slot": 1}, runtime_of(), ask=ask)
    assert update["perceptions"] == [[CUP, CUP]]
    assert (ask.asked[0].slot, update["calls"][0]["slot"]) == (1, 1)


async def test_passes_look_in_different_ways() -> None:
    ask = ScriptedAsk()
    for slot in range(3):
        await perceive_objects({"image": IMAGE, "slot": slot}, runtime_of(), ask=ask)
    assert len({question.prompt.text for question in ask.asked}) == 3


async def test_merge_shows_all_passes_with_unique_names_and_names_the_result_uniquely() -> None:
    ask = ScriptedAsk().on("ObjectPerceiver.merge", listed(CUP, CHAIR, CUP))
    update = await merge_objects(state_of([CUP, CUP], [], [CHAIR]), runtime_of(), ask=ask)
    text = ask.asked[0].prompt.text
    assert "Pass 1:\n- cup 1: a blue cup\n- cup 2: a blue cup" in text
    assert "Pass 2:\n- nothing" in text
    assert [entry["name"] for entry in update["objects"]] == ["cup 1", "chair", "cup 2"]
    assert len(update["calls"]) == 1
    assert "failures" not in update


async def test_lean_takes_its_only_pass_without_a_call() -> None:
    ask = ScriptedAsk()
    update = await merge_objects(state_of([CUP, CUP]), runtime_of(schedule="lean"), ask=ask)
    assert [entry["name"] for entry in update["objects"]] == ["cup 1", "cup 2"]
    assert ask.asked == []
    assert "calls" not in update


async def test_no_object_is_a_result() -> None:
    assert (await merge_objects(state_of([]), runtime_of(schedule="lean"), ask=ScriptedAsk()))["objects"] == []
    assert (await merge_objects(state_of([], []), runtime_of(), ask=ScriptedAsk()))["objects"] == []


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_without_any_pass_there_are_no_objects_and_no_call(schedule: str) -> None:
    ask = ScriptedAsk()
    assert await merge_objects(state_of(), runtime_of(schedule=schedule), ask=ask) == {}
    assert ask.asked == []


@pytest.mark.parametrize("schedule", ["paper", "lean"])
async def test_objects_beyond_the_limit_are_named_in_a_failure(schedule: str) -> None:
    three = [CUP, CHAIR, CUP]
    ask = ScriptedAsk().on("ObjectPerceiver.merge", listed(*three))
    update = await merge_objects(state_of(three), runtime_of(schedule=schedule, max_objects=2), ask=ask)
    assert [entry["name"] for entry in update["objects"]] == ["cup 1", "chair"]
    (failure,) = update["failures"]
    assert (failure["role"], failure["object"], failure["error"]) == ("ObjectPerceiver", None, "too_many_objects")
    assert "3 objects found, the limit is 2; not analysed: cup 2" in failure["message"]


async def test_as_many_objects_as_allowed_are_no_failure() -> None:
    update = await merge_objects(state_of([CUP, CHAIR]), runtime_of(schedule="lean", max_objects=2), ask=ScriptedAsk())
    assert "failures" not in update
