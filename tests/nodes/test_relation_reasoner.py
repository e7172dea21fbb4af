from __future__ import annotations

from anomagent.nodes.relation_reasoner import judge_relations, reason_relations, verify_relations
from tests.asking import ScriptedAsk
from tests.nodes.running import BENT, CUP, FLOATS, chain_state, runtime_of

ISSUE = {"objects": ["cup", "chair"], "issue": "it floats", "reasoning": "gravity"}


async def test_judge_is_shown_the_others_and_c_attr() -> None:
    ask = ScriptedAsk().on("RelationReasoner.judge", {"observations": ["a gap"]})
    update = await judge_relations(chain_state(attributes=[BENT]), runtime_of(), ask=ask)
    text = ask.asked[0].prompt.text
    assert "- chair: a wooden chair" in text
    assert "- bent: the cup is bent" in text
    assert (ask.asked[0].object, update["relation_observations"]) == ("cup", ["a gap"])


async def test_verify_is_shown_the_evidence_and_gives_c_rel() -> None:
    ask = ScriptedAsk().on("RelationReasoner.verify", {"issues": [ISSUE]})
    update = await verify_relations(chain_state(attributes=[], relation_observations=["a gap"]), runtime_of(), ask=ask)
    assert "Observations:\n- a gap" in ask.asked[0].prompt.text
    assert update["relations"] == [FLOATS]
    assert "reports" not in update


async def test_reason_ends_the_chain_with_a_report_that_has_everything_but_a_consolidation() -> None:
    ask = ScriptedAsk().on("RelationReasoner.reason", {"observations": ["a gap"], "issues": [ISSUE]})
    state = chain_state(attribute_observations=["bent"], attributes=[BENT])
    update = await reason_relations(state, runtime_of(schedule="lean"), ask=ask)
    assert update["reports"] == [
        {
            "object": CUP,
            "attribute_observations": ["bent"],
            "attributes": [BENT],
            "relation_observations": ["a gap"],
            "relations": [FLOATS],
            "report": [],
            "contradictions": [],
        }
    ]
    assert [call["step"] for call in update["calls"]] == ["reason"]
