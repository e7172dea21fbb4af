"""Between an analysis as one nested value and the rows of its tables. Nothing is lost in either direction."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple, cast

from anomagent.state.findings import Anomaly, CallRef, Candidate, DetectedObject, Failure, ObjectReport
from anomagent.store.database import insert_rows
from anomagent.store.results import AnalysisResult

Row = dict[str, Any]


class _Source(NamedTuple):
    """Where a statement comes from: an object's report or a pass over the whole image (by position), who, what kind."""

    report: int | None
    in_pass: int | None
    role: str
    kind: str


class _Part(NamedTuple):
    """A list inside an `ObjectReport`: who said it, what kind of statement it is, and whether it is plain text."""

    role: str
    kind: str
    is_text: bool


_PARTS = {
    "attribute_observations": _Part("AttributeAnalyzer", "observation", True),
    "attributes": _Part("AttributeAnalyzer", "issue", False),
    "relation_observations": _Part("RelationReasoner", "observation", True),
    "relations": _Part("RelationReasoner", "issue", False),
    "report": _Part("AnomalyIntegrator", "report", False),
    "contradictions": _Part("AnomalyIntegrator", "contradiction", True),
}
_PASSES = {"perceptions": "ObjectPerceiver", "scans": "SceneScanner", "pools": "AnomalyIntegrator"}
_PASS_KINDS = {"ObjectPerceiver": "object", "SceneScanner": "scan", "AnomalyIntegrator": "candidate"}
_LISTS = {
    "objects": ("objects", tuple(DetectedObject.__annotations__)),
    "candidates": ("candidates", tuple(Candidate.__annotations__)),
    "anomalies": ("anomalies", tuple(Anomaly.model_fields)),
    "failures": ("failures", tuple(Failure.__annotations__)),
    "calls": ("analysis_calls", tuple(CallRef.__annotations__)),
}
"""Lists of an `AnalysisResult` that are a table each, with the columns that make an item."""
_JSON_COLUMNS = {"passes", "scans", "sources", "objects"}


def write_rows(connection: sqlite3.Connection, analysis_id: int, result: AnalysisResult) -> None:
    """Insert everything below the row of the analysis itself."""
    for key, (table, _) in _LISTS.items():
        _insert(connection, table, analysis_id, cast(Row, result)[key])
    _insert(connection, "reports", analysis_id, [report["object"] for report in result["reports"]])
    passes = list(_passes(result))
    _insert(connection, "passes", analysis_id, [{"role": role, "slot": slot} for role, slot, _ in passes])
    said = [*_said_in_reports(result["reports"]), *_said_in_passes(passes)]
    rows = [
        {"report": source.report, "pass": source.in_pass, "role": source.role, "kind": source.kind, "item": item}
        for source, item in said
    ]
    _insert(connection, "findings", analysis_id, rows)


def read_rows(connection: sqlite3.Connection, analysis_id: int) -> Row:
    """The lists of an `AnalysisResult`, by key."""
    said: dict[_Source, list[Row]] = defaultdict(list)
    for *source, item in _select(connection, "findings", ("report", "pass", "role", "kind", "item"), analysis_id):
        said[_Source(*source)].append(json.loads(item))
    lists = {key: list(_items(connection, table, shape, analysis_id)) for key, (table, shape) in _LISTS.items()}
    for call in lists["calls"]:
        call["ledger_hit"] = bool(call["ledger_hit"])
    objects = _items(connection, "reports", _LISTS["objects"][1], analysis_id)
    passes = [
        (role, {"slot": slot, "findings": said[_Source(None, position, role, _PASS_KINDS[role])]})
        for position, (role, slot) in enumerate(_select(connection, "passes", ("role", "slot"), analysis_id))
    ]
    by_key = {key: [one for role, one in passes if role == wanted] for key, wanted in _PASSES.items()}
    return {
        **lists,
        **by_key,
        "perceptions": [one["findings"] for one in by_key["perceptions"]],
        "reports": [_report(position, item, said) for position, item in enumerate(objects)],
    }


def _passes(result: AnalysisResult) -> Iterator[tuple[str, int, Sequence[Mapping[str, Any]]]]:
    """(role, slot, findings) of every pass over the whole image; perception passes are known by their position."""
    for slot, objects in enumerate(result["perceptions"]):
        yield _PASSES["perceptions"], slot, objects
    for scan in result["scans"]:
        yield _PASSES["scans"], scan["slot"], scan["findings"]
    for pool in result["pools"]:
        yield _PASSES["pools"], pool["slot"], pool["findings"]


def _said_in_reports(reports: Sequence[ObjectReport]) -> Iterator[tuple[_Source, Mapping[str, Any]]]:
    for position, report in enumerate(reports):
        for key, part in _PARTS.items():
            for item in cast(Row, report)[key]:
                yield _Source(position, None, part.role, part.kind), {"text": item} if part.is_text else item


def _said_in_passes(
    passes: Sequence[tuple[str, int, Sequence[Mapping[str, Any]]]],
) -> Iterator[tuple[_Source, Mapping[str, Any]]]:
    for position, (role, _, findings) in enumerate(passes):
        for item in findings:
            yield _Source(None, position, role, _PASS_KINDS[role]), item


def _report(position: int, detected: Row, said: Mapping[_Source, list[Row]]) -> Row:
    report: Row = {"object": detected}
    for key, part in _PARTS.items():
        items = said.get(_Source(position, None, part.role, part.kind), [])
        report[key] = [item["text"] for item in items] if part.is_text else items
    return report


def _insert(connection: sqlite3.Connection, table: str, analysis_id: int, items: Sequence[Mapping[str, Any]]) -> None:
    """Insert `items` in their order. A key that has no column raises: nothing is left out silently."""
    rows = [
        {"analysis_id": analysis_id, "position": position} | {key: _to_column(value) for key, value in item.items()}
        for position, item in enumerate(items)
    ]
    insert_rows(connection, table, rows)


def _items(connection: sqlite3.Connection, table: str, shape: Sequence[str], analysis_id: int) -> Iterator[Row]:
    for values in _select(connection, table, shape, analysis_id):
        yield {
            key: json.loads(value) if key in _JSON_COLUMNS else value for key, value in zip(shape, values, strict=True)
        }


def _select(
    connection: sqlite3.Connection, table: str, columns: Sequence[str], analysis_id: int
) -> Iterator[Sequence[Any]]:
    names = ", ".join(f'"{column}"' for column in columns)
    return connection.execute(f"SELECT {names} FROM {table} WHERE analysis_id = ? ORDER BY position", (analysis_id,))


def _to_column(value: Any) -> Any:
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list) else value
