"""The workspace's analyses as annotations, to be compared with a benchmark's."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Mapping
from typing import Any

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations, base_name
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.store.database import clean, select
from anomagent.store.workspace import Workspace

_SHOWN_RUNS = 5


def annotations_of(workspace: Workspace, run_id: str | None = None) -> AnnotationSet:
    """What was found in each image of a run, or of the whole workspace: its newest finished analysis counts.

    Images are known by the name they were analysed under; the same content under the same base name is one image, in
    whatever folder it lay. An analysis that failed has a failure instead of a list. Raises `UsageError` where there is
    no such run or nothing was finished.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            _check_run(workspace, connection, run_id)
        analyses = _newest(connection, run_id)
        ids = json.dumps([row["id"] for row in analyses])
        anomalies, reasons = _anomalies(connection, ids), _reasons(connection, ids)
    source = f"workspace {workspace.path}" if run_id is None else f"run {run_id}"
    if not analyses:
        raise UsageError(f"{source}: no image is analysed yet; run some first")
    images = {row["image"]: _image(row, anomalies, reasons) for row in analyses}
    return AnnotationSet(source, images)


def _check_run(workspace: Workspace, connection: sqlite3.Connection, run_id: str) -> None:
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (clean(run_id),)).fetchone():
        return
    last = connection.execute("SELECT id FROM runs ORDER BY started DESC, id DESC LIMIT ?", (_SHOWN_RUNS,)).fetchall()
    known = f"the last ones are {', '.join(row[0] for row in last)}" if last else "it has none yet"
    raise UsageError(f"no run {run_id!r} in workspace {workspace.path}; {known}")


def _newest(connection: sqlite3.Connection, run_id: str | None) -> list[dict[str, Any]]:
    """The newest analysis of each name, and of those with equal content and base name only the newest, oldest first."""
    query = "SELECT id, image, sha256, status FROM analyses WHERE status != 'running'"
    rows = (
        select(connection, f"{query} ORDER BY id")
        if run_id is None
        else select(connection, f"{query} AND run_id = ? ORDER BY id", [clean(run_id)])
    )
    by_name = {row["image"]: row for row in rows}
    newest = sorted(by_name.values(), key=_id)
    by_content = {(row["sha256"], base_name(row["image"])): row for row in newest}
    return sorted(by_content.values(), key=_id)


def _id(row: Mapping[str, Any]) -> int:
    return row["id"]


def _anomalies(connection: sqlite3.Connection, ids: str) -> Mapping[int, list[Anomaly]]:
    """The anomalies of the analyses whose ids are in a JSON list, by analysis."""
    query = """
        SELECT analysis_id, name, phenomenon, reasoning, severity, objects, support FROM anomalies
        WHERE analysis_id IN (SELECT value FROM json_each(?)) ORDER BY analysis_id, position"""
    found: defaultdict[int, list[Anomaly]] = defaultdict(list)
    for row in select(connection, query, [ids]):
        found[row.pop("analysis_id")].append(Anomaly(**{**row, "objects": json.loads(row["objects"])}))
    return found


def _reasons(connection: sqlite3.Connection, ids: str) -> Mapping[int, list[str]]:
    """What failed in the analyses whose ids are in a JSON list, by analysis."""
    query = """
        SELECT analysis_id, role, object, error, message FROM failures
        WHERE analysis_id IN (SELECT value FROM json_each(?)) ORDER BY analysis_id, position"""
    found: defaultdict[int, list[str]] = defaultdict(list)
    for row in select(connection, query, [ids]):
        said = (row["role"], row["object"], row["error"], row["message"])
        found[row["analysis_id"]].append(": ".join(part for part in said if part))
    return found


def _image(
    row: Mapping[str, Any], anomalies: Mapping[int, list[Anomaly]], reasons: Mapping[int, list[str]]
) -> ImageAnnotations:
    if row["status"] == "failed":
        failure = "; ".join(reasons.get(row["id"], [])) or "failed, no reason recorded"
        return ImageAnnotations(row["image"], failure=failure)
    return ImageAnnotations(row["image"], tuple(anomalies.get(row["id"], ())))
