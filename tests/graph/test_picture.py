"""The picture of the graph in the documentation is drawn from the code."""

from __future__ import annotations

from pathlib import Path

from anomagent.graph.build import build_graph
from tests.asking import ScriptedAsk
from tests.golden import assert_golden
from tests.graph.world import refuse_to_ingest

PICTURE = Path(__file__).parents[2] / "docs" / "graph.mmd"


def test_the_picture_is_up_to_date() -> None:
    graph = build_graph(ScriptedAsk(), refuse_to_ingest)
    assert_golden(PICTURE, graph.get_graph(xray=True).draw_mermaid())


def test_every_agent_is_in_the_picture() -> None:
    text = PICTURE.read_text(encoding="utf-8")
    for label in ("ObjectPerceiver", "AttributeAnalyzer", "RelationReasoner", "AnomalyIntegrator", "AnomalyFormatter"):
        assert label in text
