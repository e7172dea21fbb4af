"""The trail of one candidate: what each agent said about the objects that it concerns."""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from anomagent.report.plain import printable
from anomagent.state.findings import Candidate, ObjectReport, PooledPass, ScanPass
from anomagent.store.evidence import analysis_behind
from anomagent.store.workspace import Workspace

Statement = dict[str, str]
"""role, object, kind, phenomenon, explanation."""


def evidence_of(workspace: Workspace, anomaly: int) -> dict[str, Any] | None:
    """What the agents said on the way to an anomaly, by its row; None where there is no such row.

    Reports and candidates are those of the objects that it names, all of them where it names none that was perceived;
    scans look at the whole image and are all there. `statements` is the same as one flat list, in the order of the
    pipeline. Texts are without control characters.
    """
    found = analysis_behind(workspace, anomaly)
    if found is None:
        return None
    analysis, position = found
    about = analysis["anomalies"][position]
    names = set(about["objects"])
    reports = [each for each in analysis["reports"] if each["object"]["name"] in names] or analysis["reports"]
    candidates = [each for each in analysis["candidates"] if each["object"] in names] or analysis["candidates"]
    statements = [*_of_reports(reports), *_of_scans(analysis["scans"]), *_of_pools(analysis["pools"], candidates)]
    return _printable(
        {
            "object_reports": reports,
            "scans": analysis["scans"],
            "candidates": candidates,
            "support": about["support"],
            "statements": statements,
        }
    )


def _of_reports(reports: Sequence[ObjectReport]) -> Iterator[Statement]:
    for report in reports:
        name = report["object"]["name"]
        yield _statement("ObjectPerceiver", name, "object", report["object"]["description"])
        for text in report["attribute_observations"]:
            yield _statement("AttributeAnalyzer", name, "observation", text)
        for issue in report["attributes"]:
            yield _statement("AttributeAnalyzer", name, "issue", issue["issue"], issue["explanation"])
        for text in report["relation_observations"]:
            yield _statement("RelationReasoner", name, "observation", text)
        for issue in report["relations"]:
            named = ", ".join(issue["objects"]) or name
            yield _statement("RelationReasoner", named, "issue", issue["issue"], issue["explanation"])
        for item in report["report"]:
            said = " ".join(part for part in (item["details"], item["explanation"]) if part)
            yield _statement("AnomalyIntegrator", name, "report", item["phenomenon"], said)
        for text in report["contradictions"]:
            yield _statement("AnomalyIntegrator", name, "contradiction", text)


def _of_scans(scans: Sequence[ScanPass]) -> Iterator[Statement]:
    for scan in scans:
        for seen in scan["findings"]:
            named = ", ".join(seen["objects"])
            yield _statement("SceneScanner", named, "scan", seen["phenomenon"], seen["explanation"])


def _of_pools(pools: Sequence[PooledPass], candidates: Sequence[Candidate]) -> Iterator[Statement]:
    names = {candidate["object"] for candidate in candidates}
    for pool in pools:
        for seen in pool["findings"]:
            if seen["object"] in names:
                role = "AnomalyIntegrator"
                yield _statement(role, seen["object"], "candidate", seen["phenomenon"], seen["explanation"])


def _statement(role: str, name: str, kind: str, phenomenon: str, explanation: str = "") -> Statement:
    return {"role": role, "object": name, "kind": kind, "phenomenon": phenomenon, "explanation": explanation}


def _printable(value: Any) -> Any:
    match value:
        case str():
            return printable(value)
        case dict():
            return {key: _printable(item) for key, item in cast(dict[str, Any], value).items()}
        case list():
            return [_printable(item) for item in cast(list[Any], value)]
        case _:
            return value
