from __future__ import annotations

from anomagent.review.evidence import evidence_of
from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from tests.review.conftest import picture
from tests.store.helpers import result


def test_unknown_candidates_have_none(workspace: Workspace) -> None:
    assert evidence_of(workspace, 999) is None


def test_what_each_agent_said_in_the_order_of_the_work(workspace: Workspace) -> None:
    found = evidence_of(workspace, 1)

    assert found is not None
    said = [(each["role"], each["kind"], each["phenomenon"]) for each in found["statements"]]
    assert said == [
        ("ObjectPerceiver", "object", "a red chair"),
        ("AttributeAnalyzer", "observation", "no legs"),
        ("AttributeAnalyzer", "issue", "it floats"),
        ("RelationReasoner", "issue", "it floats"),
        ("AnomalyIntegrator", "report", "floats"),
        ("AnomalyIntegrator", "contradiction", "stands or floats"),
        ("SceneScanner", "scan", "floats"),
        ("AnomalyIntegrator", "candidate", "floats"),
    ]
    assert [each["object"] for each in found["statements"]][3] == "chair, floor"
    assert [report["object"]["name"] for report in found["object_reports"]] == ["chair"]
    assert [candidate["passes"] for candidate in found["candidates"]] == [[1]]
    assert [scan["slot"] for scan in found["scans"]] == [0, 2]
    assert found["support"] == 2


def test_other_objects_are_left_out_unless_nothing_is_named(workspace: Workspace) -> None:
    whole = result("", "a.png")
    (chair,) = whole["reports"]
    lamp = {**chair, "object": {"name": "lamp", "description": "it \x1b[1mglows"}}
    (quadruple,) = whole["anomalies"]
    anomalies = [{**quadruple, "objects": names} for names in (["lamp"], [], ["a thing that nobody perceived"])]
    ref = ingest_image(workspace, picture("gold"), "b.png")
    changes = {"status": "ok", "reports": [chair, lamp], "anomalies": anomalies}
    save_analysis(workspace, start_run(workspace, "run", {}, "hash"), result(ref["sha256"], "b.png", **changes))

    found = [evidence_of(workspace, number) for number in (7, 8, 9)]

    names = [[report["object"]["name"] for report in each["object_reports"]] for each in found if each]
    assert names == [["lamp"], ["chair", "lamp"], ["chair", "lamp"]]
    assert found[0] is not None
    assert found[0]["statements"][0]["phenomenon"] == "it [1mglows"
