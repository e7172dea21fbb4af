from __future__ import annotations

from anomagent.nodes.attribute_analyzer import analyze_attributes, examine_attributes, list_attributes
from tests.asking import ScriptedAsk
from tests.nodes.running import BENT, chain_state, runtime_of

ISSUE = {key: BENT[key] for key in ("name", "issue", "explanation")}


async def test_examine_keeps_the_evidence() -> None:
    ask = ScriptedAsk().on("AttributeAnalyzer.examine", {"observations": ["round", "bent"]})
    update = await examine_attributes(chain_state(), runtime_of(), ask=ask)
    assert update["attribute_observations"] == ["round", "bent"]
    assert [call["step"] for call in update["calls"]] == ["examine"]
    assert ask.asked[0].object == "cup"


async def test_list_is_shown_the_evidence_and_gives_c_attr() -> None:
    ask = ScriptedAsk().on("AttributeAnalyzer.list", {"issues": [ISSUE]})
    update = await list_attributes(chain_state(attribute_observations=["quite bent"]), runtime_of(), ask=ask)
    assert "- quite bent" in ask.asked[0].prompt.text
    assert update["attributes"] == [BENT]
    assert "attribute_observations" not in update


async def test_analyze_gives_both_in_one_call() -> None:
    ask = ScriptedAsk().on("AttributeAnalyzer.analyze", {"observations": ["bent"], "issues": [ISSUE]})
    update = await analyze_attributes(chain_state(), runtime_of(schedule="lean"), ask=ask)
    assert (update["attribute_observations"], update["attributes"]) == (["bent"], [BENT])
    assert len(ask.asked) == len(update["calls"]) == 1


async def test_an_ordinary_object_has_no_issue() -> None:
    update = await list_attributes(chain_state(attribute_observations=[]), runtime_of(), ask=ScriptedAsk())
    assert update["attributes"] == []
