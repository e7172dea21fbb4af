"""Where the graph goes next: the schedule's branches and the fan-outs."""

from collections.abc import Callable, Hashable, Sequence
from typing import Any

from langgraph.constants import END
from langgraph.types import Send

from anomagent.nodes.base import Context
from anomagent.nodes.intake import INTAKE
from anomagent.state.analysis import AnalysisState, ObjectsState, ObjectState, ObjectTask, PassTask, PoolTask


def start_branches(state: AnalysisState, runtime: Context) -> Sequence[Hashable]:
    """From the image to the objects and, side by side, to the whole-image scans; or to the only call of `direct`.

    Nowhere, where the intake had no image to give.
    """
    if any(failure["role"] == INTAKE for failure in state.get("failures", [])):
        return [END]
    if runtime.context.schedule == "direct":
        return ["DirectDetector"]
    _, _, scans = runtime.context.passes
    return ["Objects", *_passes("SceneScanner", state["image"], scans)]


def start_perception(state: ObjectsState, runtime: Context) -> Sequence[Send]:
    """One `Send` per perception pass."""
    passes, _, _ = runtime.context.passes
    return _passes("ObjectPerceiver", state["image"], passes)


def fan_out_objects(state: ObjectsState) -> Sequence[Send] | str:
    """One `Send` per object, each with the others as context; no object is a result, not an error."""
    objects = state.get("objects", [])
    if not objects:
        return END
    return [
        Send("Object", ObjectTask(image=state["image"], object=entry, others=[o for o in objects if o is not entry]))
        for entry in objects
    ]


def first_step(state: Any, runtime: Context) -> str:
    """Two steps per agent (`paper`) or both in one call (`lean`)."""
    return "AttributeAnalyzer.examine" if runtime.context.schedule == "paper" else "AttributeAnalyzer.analyze"


def unless_failed(following: str) -> Callable[[ObjectState], str]:
    """To the `following` step of the object's chain; a failed step ends the chain, and only this one."""
    return lambda state: END if state.get("failures") else following


def start_consolidation(state: AnalysisState, runtime: Context) -> Sequence[Send] | str:
    """One `Send` per consolidation pass. `lean` spends no call where nothing was reported.

    Where every object and every scan failed nobody has looked: that ends the analysis, it is not "no anomaly".
    """
    reports, scans = state.get("reports", []), state.get("scans", [])
    if "objects" not in state or (state["objects"] and not reports and not scans):
        return END
    found = any(r["attributes"] or r["relations"] for r in reports) or any(scan["findings"] for scan in scans)
    if runtime.context.schedule == "lean" and not found:
        return "AnomalyIntegrator.score"
    _, passes, _ = runtime.context.passes
    return [
        Send("AnomalyIntegrator", PoolTask(image=state["image"], slot=slot, reports=reports, scans=scans))
        for slot in range(passes)
    ]


def after_report(state: AnalysisState, runtime: Context) -> str:
    """To the person who judges the report, where one is wanted and there is something to judge."""
    return "HumanReview" if runtime.context.review and state.get("anomalies") else END


def after_scoring(state: AnalysisState) -> str:
    """To the formatter, unless the scoring already settled the result or every consolidation pass failed."""
    return "AnomalyFormatter" if "candidates" in state and "anomalies" not in state else END


def _passes(node: str, image: Any, count: int) -> list[Send]:
    return [Send(node, PassTask(image=image, slot=slot)) for slot in range(count)]
