from __future__ import annotations

from anomagent.nodes.direct_detector import detect_directly
from tests.asking import IMAGE, ScriptedAsk
from tests.nodes.running import runtime_of

FOUND = {"name": "floating cup", "phenomenon": "it floats", "reasoning": "gravity", "severity": 5, "objects": ["cup"]}


async def test_one_call_gives_the_quadruples() -> None:
    ask = ScriptedAsk().on("DirectDetector.detect", {"anomalies": [FOUND]})
    update = await detect_directly({"image": IMAGE}, runtime_of(schedule="direct"), ask=ask)
    assert update["anomalies"] == [{**FOUND, "support": 1}]
    assert len(ask.asked) == len(update["calls"]) == 1


async def test_nothing_found_is_a_result() -> None:
    update = await detect_directly({"image": IMAGE}, runtime_of(schedule="direct"), ask=ScriptedAsk())
    assert update["anomalies"] == []
