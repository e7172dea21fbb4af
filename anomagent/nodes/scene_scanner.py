"""SceneScanner: the whole image in one look."""

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import scene_scanner as prompts
from anomagent.state.analysis import PassTask
from anomagent.state.findings import ScanPass


async def scan_scene(task: PassTask, runtime: Context, *, ask: Ask) -> Update:
    """One whole-image scan."""
    slot = task["slot"]
    answer = await ask(runtime.context, task["image"], prompts.render_scan(slot), prompts.Scan, slot=slot)
    scan: ScanPass = {
        "slot": slot,
        "findings": [
            {"objects": found.objects, "phenomenon": found.phenomenon, "explanation": found.explanation}
            for found in answer.reply.anomalies
        ],
    }
    return {"scans": [scan], "calls": [answer.call]}
