"""The whole pipeline: nodes, edges and policies, and nothing else."""

# LangGraph leaves some of its type parameters open.
# pyright: reportUnknownMemberType=false

from functools import partial
from typing import Any

from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.constants import END, START
from langgraph.graph import StateGraph
from langgraph.graph.state import CompiledStateGraph

from anomagent.graph import routing
from anomagent.graph.channels import CheckpointedWithoutMessages
from anomagent.models.types import Ask
from anomagent.nodes import (
    anomaly_formatter,
    anomaly_integrator,
    attribute_analyzer,
    direct_detector,
    human_review,
    object_perceiver,
    relation_reasoner,
    scene_scanner,
)
from anomagent.nodes.base import Node, asking
from anomagent.nodes.intake import INTAKE, Ingest, take_in, take_in_from_strangers
from anomagent.state.analysis import (
    AnalysisInput,
    AnalysisState,
    ObjectOutput,
    ObjectsInput,
    ObjectsOutput,
    ObjectsState,
    ObjectState,
    ObjectTask,
)
from anomagent.state.context import AnalysisContext


def build_object_chain(ask: Ask) -> CompiledStateGraph[Any, AnalysisContext, Any, Any]:
    """One object: its attributes, then its relations, then its report. Independent of every other object."""
    chain = StateGraph(ObjectState, context_schema=AnalysisContext, input_schema=ObjectTask, output_schema=ObjectOutput)
    add = partial(_add_agent, chain, ask)
    add("AttributeAnalyzer.examine", attribute_analyzer.examine_attributes)
    add("AttributeAnalyzer.list", attribute_analyzer.list_attributes)
    add("AttributeAnalyzer.analyze", attribute_analyzer.analyze_attributes)
    add("RelationReasoner.judge", relation_reasoner.judge_relations)
    add("RelationReasoner.verify", relation_reasoner.verify_relations)
    add("RelationReasoner.reason", relation_reasoner.reason_relations)
    add("AnomalyIntegrator.consolidate", anomaly_integrator.consolidate_object)

    chain.add_conditional_edges(START, routing.first_step, ["AttributeAnalyzer.examine", "AttributeAnalyzer.analyze"])
    for step, following in (
        ("AttributeAnalyzer.examine", "AttributeAnalyzer.list"),
        ("AttributeAnalyzer.list", "RelationReasoner.judge"),
        ("RelationReasoner.judge", "RelationReasoner.verify"),
        ("RelationReasoner.verify", "AnomalyIntegrator.consolidate"),
        ("AttributeAnalyzer.analyze", "RelationReasoner.reason"),
    ):
        chain.add_conditional_edges(step, routing.unless_failed(following), [following, END])
    chain.add_edge("AnomalyIntegrator.consolidate", END)
    chain.add_edge("RelationReasoner.reason", END)
    return chain.compile(name="Object")


def build_objects(ask: Ask) -> CompiledStateGraph[Any, AnalysisContext, Any, Any]:
    """Stages 1 and 2: a graph of its own, so that a slow whole-image scan never holds back an object."""
    objects = StateGraph(
        ObjectsState, context_schema=AnalysisContext, input_schema=ObjectsInput, output_schema=ObjectsOutput
    )
    add = partial(_add_agent, objects, ask)
    add("ObjectPerceiver", object_perceiver.perceive_objects)
    add("ObjectPerceiver.merge", object_perceiver.merge_objects)
    objects.add_node("Object", build_object_chain(ask))

    objects.add_conditional_edges(START, routing.start_perception, ["ObjectPerceiver"])
    objects.add_edge("ObjectPerceiver", "ObjectPerceiver.merge")
    objects.add_conditional_edges("ObjectPerceiver.merge", routing.fan_out_objects, ["Object", END])
    objects.add_edge("Object", END)
    return objects.compile(name="Objects")


def build_graph(
    ask: Ask,
    ingest: Ingest,
    checkpointer: BaseCheckpointSaver[str] | None = None,
    context_schema: type[AnalysisContext] = AnalysisContext,
    for_strangers: bool = False,
) -> CompiledStateGraph[Any, AnalysisContext, Any, Any]:
    """The paper's whole pipeline: `ask` reaches the models, `ingest` brings an image into the workspace.

    A graph `for_strangers` takes its input from clients of a server: see `take_in_from_strangers`.
    """
    graph = StateGraph(AnalysisState, context_schema=context_schema, input_schema=AnalysisInput)
    add = partial(_add_agent, graph, ask)
    graph.add_node(INTAKE, partial(take_in_from_strangers if for_strangers else take_in, ingest=ingest))
    add("DirectDetector", direct_detector.detect_directly)
    graph.add_node("Objects", build_objects(ask), input_schema=ObjectsInput)
    add("SceneScanner", scene_scanner.scan_scene)
    graph.add_node("join", anomaly_integrator.join_evidence)
    add("AnomalyIntegrator", anomaly_integrator.pool_candidates)
    graph.add_node("AnomalyIntegrator.score", anomaly_integrator.score_candidates)
    add("AnomalyFormatter", anomaly_formatter.format_anomalies)
    graph.add_node("HumanReview", human_review.review_report)

    graph.add_edge(START, INTAKE)
    graph.add_conditional_edges(INTAKE, routing.start_branches, ["DirectDetector", "Objects", "SceneScanner", END])
    graph.add_edge("Objects", "join")
    graph.add_edge("SceneScanner", "join")
    graph.add_conditional_edges(
        "join", routing.start_consolidation, ["AnomalyIntegrator", "AnomalyIntegrator.score", END]
    )
    graph.add_edge("AnomalyIntegrator", "AnomalyIntegrator.score")
    graph.add_conditional_edges("AnomalyIntegrator.score", routing.after_scoring, ["AnomalyFormatter", END])
    for report in ("AnomalyFormatter", "DirectDetector"):
        graph.add_conditional_edges(report, routing.after_report, ["HumanReview", END])
    graph.add_edge("HumanReview", END)

    compiled = graph.compile(checkpointer=checkpointer, name="AnomAgent")
    compiled.channels[START] = CheckpointedWithoutMessages(AnalysisInput)
    return compiled


def _add_agent(graph: StateGraph[Any, AnalysisContext, Any, Any], ask: Ask, name: str, node: Node) -> None:
    graph.add_node(name, asking(name, node, ask))
