"""A scripted world of named objects, each with something wrong, and a way to put it through the graph."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import BaseCheckpointSaver

from anomagent.graph.build import build_graph
from anomagent.models.fake import FakeModel
from anomagent.models.types import Request
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import ImageRef
from tests.asking import IMAGE, Question, ScriptedAsk


def world_of(names: Sequence[str], anomalous: bool = True) -> ScriptedAsk:
    """A model that sees `names` in the image; where `anomalous`, each of them floats and every agent says so."""
    objects = {"objects": [{"name": name, "description": f"the {name}"} for name in names]}
    ask = ScriptedAsk().on("ObjectPerceiver.list", objects).on("ObjectPerceiver.merge", objects)
    if not anomalous:
        return ask
    for agent in ("AttributeAnalyzer.list", "AttributeAnalyzer.analyze"):
        ask.on(agent, _attribute_issue)
    for agent in ("RelationReasoner.verify", "RelationReasoner.reason"):
        ask.on(agent, _relation_issue)
    ask.on("AnomalyIntegrator.consolidate", _report)
    ask.on("SceneScanner.scan", {"anomalies": [_scanned(name) for name in names]})
    ask.on("AnomalyIntegrator.pool", {"candidates": [_pooled(name) for name in names]})
    final = [_final(number, name) for number, name in enumerate(names, 1)]
    ask.on("AnomalyFormatter.format", {"anomalies": final, "dropped": []})
    ask.on("DirectDetector.detect", {"anomalies": [{**_quadruple(name), "objects": [name]} for name in names]})
    return ask


async def analyze(
    ask: ScriptedAsk,
    context: AnalysisContext,
    *,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    thread: str = "thread",
    start: Any = ...,
) -> dict[str, Any]:
    """Put the image through the graph; `start=None` resumes."""
    graph = build_graph(ask, refuse_to_ingest, checkpointer)
    config: RunnableConfig = {"configurable": {"thread_id": thread}}
    begin = {"image": IMAGE} if start is ... else start
    return await graph.ainvoke(begin, config, context=context, durability="async" if checkpointer else None)


def model_of(ask: ScriptedAsk) -> FakeModel:
    """The same world one level lower, as the model behind the seam. Its `requests` tell what was really sent."""

    def say(request: Request) -> Any:
        return ask.say(Question(AnalysisContext(), IMAGE, request.prompt, request.object, request.slot))

    return FakeModel().on(says=say)


async def refuse_to_ingest(image: Path | bytes) -> ImageRef:
    """These runs start from a stored image."""
    raise AssertionError("nothing to ingest")


def names_of(count: int) -> list[str]:
    """So many object names, no two alike."""
    return ["cup", "chair", "lamp", "horse", "violin", "teapot", "ladder"][:count]


def _phenomenon(name: str) -> str:
    return f"{name} floats freely"


def _attribute_issue(question: Question) -> dict[str, Any]:
    issue = {"name": "odd shape", "issue": f"{question.object} is bent", "explanation": "it cannot be"}
    return _with_observations(question, issue)


def _relation_issue(question: Question) -> dict[str, Any]:
    issue = {"objects": [question.object], "issue": _phenomenon(str(question.object)), "reasoning": "gravity"}
    return _with_observations(question, issue)


def _with_observations(question: Question, issue: dict[str, Any]) -> dict[str, Any]:
    both = question.prompt.step in ("analyze", "reason")
    return {"issues": [issue]} | ({"observations": ["seen"]} if both else {})


def _report(question: Question) -> dict[str, Any]:
    entry = {
        "phenomenon": _phenomenon(str(question.object)),
        "source": "relations",
        "details": "nothing carries it",
        "explanation": "gravity",
    }
    return {"report": [entry], "contradictions": []}


def _scanned(name: str) -> dict[str, Any]:
    return {"objects": [name], "phenomenon": _phenomenon(name), "explanation": "gravity"}


def _pooled(name: str) -> dict[str, Any]:
    return {
        "object": name,
        "phenomenon": _phenomenon(name),
        "explanation": "gravity",
        "sources": ["relations", "scan"],
    }


def _quadruple(name: str) -> dict[str, Any]:
    return {"name": f"floating {name}", "phenomenon": _phenomenon(name), "reasoning": "gravity", "severity": 10}


def _final(number: int, name: str) -> dict[str, Any]:
    return {**_quadruple(name), "objects": [name], "covers": [number]}
