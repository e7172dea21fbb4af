from __future__ import annotations

from anomagent.nodes.scene_scanner import scan_scene
from tests.asking import IMAGE, ScriptedAsk
from tests.nodes.running import runtime_of


async def test_a_scan_is_kept_with_its_slot() -> None:
    seen = {"objects": ["cup", "table"], "phenomenon": "it floats", "explanation": "gravity"}
    ask = ScriptedAsk().on("SceneScanner.scan", {"anomalies": [seen]})
    update = await scan_scene({"image": IMAGE, "slot": 2}, runtime_of(), ask=ask)
    assert update["scans"] == [{"slot": 2, "findings": [seen]}]
    assert (ask.asked[0].slot, ask.asked[0].object, update["calls"][0]["slot"]) == (2, None, 2)


async def test_scans_look_in_different_ways() -> None:
    ask = ScriptedAsk()
    for slot in range(3):
        await scan_scene({"image": IMAGE, "slot": slot}, runtime_of(), ask=ask)
    assert len({question.prompt.text for question in ask.asked}) == 3


async def test_a_scan_that_saw_nothing_is_a_scan() -> None:
    update = await scan_scene({"image": IMAGE, "slot": 0}, runtime_of(), ask=ScriptedAsk())
    assert update["scans"] == [{"slot": 0, "findings": []}]
