from __future__ import annotations

from anomagent.prompts import anomaly_integrator
from tests.prompts.examples import CUP, SCANNED, report_of, silent_report_of


def test_pool_reads_the_consolidated_report_where_there_is_one() -> None:
    text = anomaly_integrator.render_pool([report_of(CUP, consolidated=True)], [], consolidated=True).text
    assert "- relations: the cup floats: nothing carries it" in text
    assert "- both: two handles: one grows out of the rim: cups are held by one\n" in f"{text}\n"


def test_pool_reads_the_bare_findings_where_no_report_was_made() -> None:
    text = anomaly_integrator.render_pool([report_of(CUP, consolidated=False)], [], consolidated=False).text
    described = "- description: two handles: a second handle grows out of the rim: cups are held by one handle"
    assert described in text
    assert "- relations: nothing carries it: a cup falls where nothing carries it" in text


def test_details_that_only_repeat_their_title_are_left_out() -> None:
    report = report_of(CUP, consolidated=False)
    report["attributes"][0]["issue"] = "has two handles"
    text = anomaly_integrator.render_pool([report], [], consolidated=False).text
    assert "- description: two handles: cups are held by one handle" in text


def test_pool_names_silent_objects_and_silent_scans() -> None:
    text = anomaly_integrator.render_pool([silent_report_of(CUP)], [[], [SCANNED]], consolidated=True).text
    assert f"Object: cup: {CUP['description']}\nScan 1:\n- nothing\nScan 2:\n- cup, table: the cup floats" in text


def test_what_the_consolidation_dropped_does_not_come_back() -> None:
    report = report_of(CUP, consolidated=True) | {"report": []}
    text = anomaly_integrator.render_pool([report], [], consolidated=True).text  # pyright: ignore
    assert text.endswith(f"Object: cup: {CUP['description']}")
