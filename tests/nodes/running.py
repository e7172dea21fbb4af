"""What a node is run with."""

from __future__ import annotations

from typing import Any

from langgraph.runtime import Runtime

from anomagent.state.analysis import ObjectState
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import DetectedObject, Finding
from tests.asking import IMAGE

CUP: DetectedObject = {"name": "cup", "description": "a blue cup"}
CHAIR: DetectedObject = {"name": "chair", "description": "a wooden chair"}
BENT: Finding = {
    "objects": ["cup"],
    "name": "bent",
    "issue": "the cup is bent",
    "explanation": "it cannot be",
    "source": "attributes",
}
FLOATS: Finding = {
    "objects": ["cup", "chair"],
    "name": "it floats",
    "issue": "it floats",
    "explanation": "gravity",
    "source": "relations",
}


def runtime_of(**options: Any) -> Runtime[AnalysisContext]:
    """A runtime with these options of an analysis."""
    return Runtime(context=AnalysisContext(**options))


def chain_state(**parts: Any) -> ObjectState:
    """The state of the cup's chain, with a chair beside it."""
    task: ObjectState = {"image": IMAGE, "object": CUP, "others": [CHAIR]}
    return task | parts  # pyright: ignore[reportReturnType]
