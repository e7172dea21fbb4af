from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from anomagent.errors import ConfigurationError, OutOfBudget, Refused, StoreError, UsageError
from anomagent.models.types import Ask
from anomagent.nodes.attribute_analyzer import examine_attributes
from anomagent.nodes.base import Context, Update, asking
from tests.asking import IMAGE, ScriptedAsk, call_of
from tests.nodes.running import chain_state, runtime_of


def failing(error: Exception) -> Any:
    """A node that fails before it asks anything."""

    async def node(state: Any, runtime: Context, *, ask: Ask) -> Update:
        raise error

    return node


async def test_a_node_that_succeeds_is_as_it_was() -> None:
    ask = ScriptedAsk().on("AttributeAnalyzer.examine", {"observations": ["round"]})
    wrapped = await asking("AttributeAnalyzer.examine", examine_attributes, ask)(chain_state(), runtime_of())
    assert wrapped == await examine_attributes(chain_state(), runtime_of(), ask=ask)


async def test_a_failure_names_role_object_kind_and_reason_and_keeps_the_cost() -> None:
    ask = ScriptedAsk().on("AttributeAnalyzer.examine", Refused("the model declined"))
    update = await asking("AttributeAnalyzer.examine", examine_attributes, ask)(chain_state(), runtime_of())
    assert update == {
        "failures": [
            {"role": "AttributeAnalyzer", "object": "cup", "error": "refused", "message": "the model declined"}
        ],
        "calls": [call_of(ask.asked[0])],
    }


async def test_a_failure_that_cost_nothing_adds_no_call() -> None:
    node = failing(OutOfBudget("the budget is spent"))
    update = await asking("RelationReasoner.judge", node, ScriptedAsk())(chain_state(), runtime_of())
    assert (update["failures"][0]["role"], update["calls"]) == ("RelationReasoner", [])


@pytest.mark.parametrize("state", [{"image": IMAGE, "slot": 1}, {}], ids=["pass", "empty"])
async def test_a_failure_of_the_whole_image_has_no_object(state: Mapping[str, Any]) -> None:
    update = await asking("SceneScanner", failing(Refused("no")), ScriptedAsk())(state, runtime_of())
    assert (update["failures"][0]["role"], update["failures"][0]["object"]) == ("SceneScanner", None)


@pytest.mark.parametrize(
    "error",
    [ValueError("a bug"), KeyError("x"), UsageError("no"), ConfigurationError("no key"), StoreError("disk full")],
    ids=lambda error: type(error).__name__,
)
async def test_anything_else_rises(error: Exception) -> None:
    with pytest.raises(type(error)) as raised:
        await asking("SceneScanner", failing(error), ScriptedAsk())(chain_state(), runtime_of())
    assert raised.value is error
