"""Analyses: written once, whole or not at all, and read back with everything that every agent said."""

import json
import sqlite3
import string
import uuid
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

from anomagent.errors import OutOfBudget, UsageError
from anomagent.state.context import Schedule
from anomagent.state.findings import Status, UsageTotals
from anomagent.state.reviews import Answer, ReportReview
from anomagent.store.database import clean, iso, now, select
from anomagent.store.images import hash_file
from anomagent.store.results import AnalysisResult, AnalysisSummary, StoredAnalysis
from anomagent.store.reviews import insert_answers
from anomagent.store.rows import read_rows, write_rows
from anomagent.store.workspace import Workspace

_OWN_COLUMNS = ("id", "run_id", "image", "sha256", "thread_id", "status", "schedule", "started", "finished", "seconds")
_USAGE = tuple(UsageTotals.model_fields)
_SHORTEST_PREFIX = 6


def begin_analysis(
    workspace: Workspace, run_id: str, *, image: str, sha256: str, thread_id: str, schedule: Schedule
) -> int:
    """Note that an image is being analysed (`running`), and return the analysis's id. `save_analysis` completes it."""
    row = {"image": image, "sha256": sha256, "thread_id": thread_id, "schedule": schedule, "models": "{}"}
    with workspace.writing() as connection:
        return _insert(connection, {**row, "run_id": run_id, "status": "running", "started": now()})


def save_analysis(
    workspace: Workspace, run_id: str, result: AnalysisResult, review: Mapping[str, Any] | None = None
) -> int:
    """Write a finished analysis in one transaction, with what a person said of it, and return its id.

    `review` is a dumped `ReportReview`.

    The image must have been ingested and the run started. Nothing that was found is ever replaced: where a run analyses
    the same content twice, under two names for instance, it has two analyses of it.
    """
    result = clean(result)
    with workspace.writing() as connection:
        running = connection.execute(
            "SELECT id FROM analyses WHERE run_id = ? AND sha256 = ? AND image = ? AND status = 'running'",
            (run_id, result["sha256"], result["image"]),
        ).fetchone()
        if running is None:
            started = iso(datetime.now(UTC) - timedelta(seconds=result["seconds"]))
            analysis_id = _insert(connection, _row(result) | {"run_id": run_id, "started": started})
        else:
            analysis_id = running[0]
            _update(connection, analysis_id, _row(result))
        write_rows(connection, analysis_id, result)
        if review is not None:
            _write_review(connection, analysis_id, ReportReview.model_validate(review))
    return analysis_id


def _write_review(connection: sqlite3.Connection, analysis_id: int, review: ReportReview) -> None:
    query = "SELECT id FROM anomalies WHERE analysis_id = ? ORDER BY position"
    anomalies = [row[0] for row in connection.execute(query, (analysis_id,))]
    answers = [
        Answer(id=uuid.uuid4().hex, anomaly=anomaly, annotator=review.annotator, **given.model_dump())
        for anomaly, given in zip(anomalies, review.verdicts, strict=True)
    ]
    insert_answers(connection, answers)


def find_analyses(workspace: Workspace, what: str) -> list[StoredAnalysis]:
    """The finished analyses that `what` names, newest first: a run's id, an image's file, name, path or hash prefix.

    An image file is known by its content, under whatever name it was analysed. Raises `UsageError` for no match.
    """
    with workspace.reading() as connection:
        where, value = _condition(workspace, connection, what)
        query = f"SELECT id FROM analyses WHERE {where} AND status != 'running' ORDER BY id DESC"
        found = [_read(connection, row[0]) for row in connection.execute(query, (value,)).fetchall()]
    if not found:
        raise UsageError(f"{what}: not analysed yet in workspace {workspace.path}; run it first")
    return found


def read_analysis(workspace: Workspace, analysis_id: int) -> StoredAnalysis:
    """The finished analysis with this id. Raises `UsageError` where there is none."""
    with workspace.reading() as connection:
        query = "SELECT id FROM analyses WHERE id = ? AND status != 'running'"
        if connection.execute(query, (analysis_id,)).fetchone() is None:
            raise UsageError(f"no finished analysis {analysis_id} in workspace {workspace.path}")
        return _read(connection, analysis_id)


def list_analyses(
    workspace: Workspace,
    *,
    run_id: str | None = None,
    sha256: str | None = None,
    thread_id: str | None = None,
    statuses: Iterable[str] = ("ok", "partial", "failed"),
    latest: bool = False,
) -> list[AnalysisSummary]:
    """Summaries of the analyses that fit every condition, oldest first.

    With `latest`, only the newest finished one of each image is looked at.
    """
    wanted = {"run_id": run_id, "sha256": sha256, "thread_id": thread_id}
    conditions = {f"{column} = ?": value for column, value in wanted.items() if value is not None}
    allowed = list(statuses)
    where = " AND ".join([*conditions, f"status IN ({', '.join('?' * len(allowed))})"])
    query = f"""
        SELECT {", ".join(_OWN_COLUMNS)},
            (SELECT count(*) FROM anomalies WHERE analysis_id = a.id) AS anomalies,
            (SELECT count(*) FROM failures WHERE analysis_id = a.id) AS failures
        FROM {"latest_analyses" if latest else "analyses"} a WHERE {where} ORDER BY id"""
    with workspace.reading() as connection:
        rows = select(connection, query, [*conditions.values(), *allowed])
    return [cast(AnalysisSummary, row) for row in rows]


def read_states(workspace: Workspace, threads: Sequence[str]) -> dict[str, Status]:
    """How each of `threads` ended: ok if it ever did, else as the newest analysis that the budget did not end.

    Without those that have none.
    """
    query = """
        SELECT thread_id, status FROM analyses
        WHERE id IN (
            SELECT coalesce(max(CASE status WHEN 'ok' THEN id END), max(id)) FROM analyses a
            WHERE thread_id IN (SELECT value FROM json_each(?)) AND status != 'running'
                AND NOT EXISTS (SELECT 1 FROM failures WHERE analysis_id = a.id AND error = ?)
            GROUP BY thread_id)"""
    with workspace.reading() as connection:
        return dict(connection.execute(query, [json.dumps(list(threads)), OutOfBudget.code]).fetchall())


def count_finished(workspace: Workspace, configurations: Sequence[str]) -> int:
    """How many contents have an ok analysis under any of the configurations, given by their hashes."""
    query = """
        SELECT count(DISTINCT sha256) FROM analyses
        WHERE status = 'ok' AND substr(thread_id, instr(thread_id, '-') + 1) IN (SELECT value FROM json_each(?))"""
    with workspace.reading() as connection:
        return connection.execute(query, [json.dumps(list(configurations))]).fetchone()[0]


def read_outcome(workspace: Workspace, threads: Sequence[str]) -> dict[str, Any] | None:
    """The result of any of `threads`: the newest ok one, else the newest.

    It is what `run --json` prints, and behind it the hash of its configuration.
    """
    query = f"""
        SELECT result, a.thread_id FROM results JOIN analyses a ON a.id = analysis_id
        WHERE a.thread_id IN ({_marks(threads)}) ORDER BY a.status = 'ok' DESC, a.id DESC LIMIT 1"""
    with workspace.reading() as connection:
        row = connection.execute(query, threads).fetchone()
    return json.loads(row[0]) | {"configuration": row[1].rpartition("-")[2]} if row else None


def name_images(workspace: Workspace, names: Sequence[tuple[str, str]]) -> None:
    """Note further names, as (SHA-256, name), of images that are in the workspace."""
    query = """
        INSERT OR IGNORE INTO image_names (sha256, name, first_seen)
        SELECT sha256, ?2, ?3 FROM images WHERE sha256 = ?1"""
    moment = now()
    with workspace.reading() as connection:
        known = "SELECT 1 FROM image_names WHERE sha256 = ? AND name = ?"
        new = [(sha256, clean(name), moment) for sha256, name in names]
        new = [row for row in new if connection.execute(known, row[:2]).fetchone() is None]
    if new:
        with workspace.writing() as connection:
            connection.executemany(query, new)


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))


def _row(result: AnalysisResult) -> dict[str, Any]:
    """The columns of the analysis itself."""
    own = {key: result[key] for key in ("image", "sha256", "thread_id", "status", "schedule", "seconds")}
    models = json.dumps(result["models"], ensure_ascii=False, sort_keys=True)
    return {**own, "models": models, "finished": now(), **UsageTotals.of(result["calls"]).model_dump()}


def _insert(connection: sqlite3.Connection, row: dict[str, Any]) -> int:
    columns, marks = ", ".join(row), ", ".join("?" * len(row))
    cursor = connection.execute(f"INSERT INTO analyses ({columns}) VALUES ({marks})", list(clean(row).values()))
    return cast(int, cursor.lastrowid)


def _update(connection: sqlite3.Connection, analysis_id: int, row: dict[str, Any]) -> None:
    changes = ", ".join(f"{column} = ?" for column in row)
    connection.execute(f"UPDATE analyses SET {changes} WHERE id = ?", [*row.values(), analysis_id])


def _read(connection: sqlite3.Connection, analysis_id: int) -> StoredAnalysis:
    (row,) = select(connection, "SELECT * FROM analyses WHERE id = ?", [analysis_id])
    own = {key: row[key] for key in _OWN_COLUMNS}
    usage = UsageTotals(**{key: row[key] for key in _USAGE})
    lists = read_rows(connection, analysis_id)
    return cast(StoredAnalysis, {**own, "models": json.loads(row["models"]), "usage": usage, **lists})


def _condition(workspace: Workspace, connection: sqlite3.Connection, what: str) -> tuple[str, str]:
    """The condition on `analyses` that `what` stands for, and its value."""
    if connection.execute("SELECT 1 FROM runs WHERE id = ?", (clean(what),)).fetchone():
        return "run_id = ?", what
    if sha256 := hash_file(Path(what)):
        return "sha256 = ?", sha256
    if connection.execute("SELECT 1 FROM image_names WHERE name = ?", (clean(what),)).fetchone():
        return "sha256 IN (SELECT sha256 FROM image_names WHERE name = ?)", clean(what)
    return "sha256 = ?", _by_base_name(connection, what) or _by_prefix(connection, what)


def _by_base_name(connection: sqlite3.Connection, what: str) -> str:
    """The image whose file name this is, whatever folder it lay in."""
    query = "SELECT DISTINCT sha256 FROM image_names WHERE substr(name, -length(?)) = ? LIMIT 2"
    match [row[0] for row in connection.execute(query, (f"/{clean(what)}",) * 2)]:
        case []:
            return ""
        case [sha256]:
            return sha256
        case _:
            raise UsageError(f"{what}: more than one image has this file name; give its path")


def _by_prefix(connection: sqlite3.Connection, what: str) -> str:
    prefix = what.lower()
    if len(prefix) < _SHORTEST_PREFIX or not set(prefix) <= set(string.hexdigits):
        return ""
    query = "SELECT sha256 FROM images WHERE sha256 >= ? AND sha256 < ? LIMIT 2"
    match [row[0] for row in connection.execute(query, (prefix, prefix + "g"))]:
        case []:
            return ""
        case [sha256]:
            return sha256
        case _:
            raise UsageError(f"{what}: more than one image begins with this hash; give more of it")
