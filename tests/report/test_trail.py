from pathlib import Path

from anomagent.report.trail import trail_of
from tests.report.examples import store_example, workspace_in


def test_trail_follows_the_pipeline(tmp_path: Path) -> None:
    trail = trail_of(store_example(workspace_in(tmp_path)))

    assert [(section.agent, section.about, len(section.statements)) for section in trail] == [
        ("ObjectPerceiver", "pass 1", 1),
        ("AttributeAnalyzer", "chair", 2),
        ("RelationReasoner", "chair", 2),
        ("AnomalyIntegrator", "chair", 2),
        ("SceneScanner", "scan 1", 1),
        ("AnomalyIntegrator", "consolidation 1", 1),
    ]
