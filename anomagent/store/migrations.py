"""The schema, as numbered steps. A step that was released is never edited; a change is a new step at the end."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from sqlite_utils.db import Database

from anomagent.errors import ConfigurationError
from anomagent.store.collection_schema import m007_collection
from anomagent.store.database import now, tables, transaction
from anomagent.store.prediction_schema import m008_predictions
from anomagent.store.review_schema import m006_answers
from anomagent.store.views import m005_views


def migrate(connection: sqlite3.Connection, workspace: Path) -> None:
    """Apply the steps that are missing, all or none. Safe when several processes do it at once.

    Raises `ConfigurationError` where the database belongs to something else or has steps that are unknown here.
    """
    database = tables(connection)
    if _applied(database, workspace) == set(STEPS):
        return
    with transaction(connection):
        # Read again under the write lock: another process may have been faster.
        applied = _applied(database, workspace)
        connection.execute("CREATE TABLE IF NOT EXISTS _migrations (name TEXT PRIMARY KEY, applied TEXT NOT NULL)")
        for name, step in STEPS.items():
            if name not in applied:
                step(database)
                connection.execute("INSERT INTO _migrations VALUES (?, ?)", (name, now()))


def _applied(database: Database, workspace: Path) -> set[str]:
    names = database.table_names()
    if not names:
        return set()
    if "_migrations" not in names:
        raise ConfigurationError(
            f"workspace {workspace}: anomagent.db was not made by anomagent; use another --workspace"
        )
    applied = {str(name) for (name,) in database.conn.execute("SELECT name FROM _migrations")}
    if unknown := sorted(applied - set(STEPS)):
        raise ConfigurationError(
            f"workspace {workspace}: written by a newer anomagent ({unknown[-1]}); upgrade or use another --workspace"
        )
    return applied


def m001_images_runs_analyses(database: Database) -> None:
    """Images by content, runs, and a row for each time a run analysed an image."""
    database.executescript("""
        CREATE TABLE images (
            sha256 TEXT PRIMARY KEY, width INTEGER NOT NULL, height INTEGER NOT NULL, format TEXT NOT NULL,
            frames INTEGER NOT NULL, bytes INTEGER NOT NULL, path TEXT NOT NULL, created TEXT NOT NULL);
        CREATE TABLE image_names (
            sha256 TEXT NOT NULL REFERENCES images(sha256), name TEXT NOT NULL, first_seen TEXT NOT NULL,
            PRIMARY KEY (sha256, name));
        CREATE INDEX image_names_by_name ON image_names(name);
        CREATE TABLE runs (
            id TEXT PRIMARY KEY, started TEXT NOT NULL, finished TEXT, command TEXT NOT NULL,
            config_hash TEXT NOT NULL, config TEXT NOT NULL);
        CREATE TABLE analyses (
            id INTEGER PRIMARY KEY, run_id TEXT NOT NULL REFERENCES runs(id),
            sha256 TEXT NOT NULL REFERENCES images(sha256), image TEXT NOT NULL, thread_id TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('running', 'ok', 'partial', 'failed')),
            schedule TEXT NOT NULL, models TEXT NOT NULL, started TEXT NOT NULL, finished TEXT, seconds REAL,
            calls INTEGER, ledger_hits INTEGER, input_tokens INTEGER, cached_input_tokens INTEGER,
            output_tokens INTEGER, usd REAL);
        CREATE INDEX analyses_by_run ON analyses(run_id);
        CREATE INDEX analyses_by_image ON analyses(sha256);
        CREATE INDEX analyses_by_thread ON analyses(thread_id);
    """)


def m002_what_the_agents_said(database: Database) -> None:
    """Every agent's output. Columns that repeat what is inside `item` are computed, so they cannot disagree with it."""
    database.executescript("""
        CREATE TABLE objects (
            analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL,
            name TEXT NOT NULL, description TEXT NOT NULL, PRIMARY KEY (analysis_id, position));
        CREATE TABLE reports (
            analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL,
            name TEXT NOT NULL, description TEXT NOT NULL, PRIMARY KEY (analysis_id, position));
        CREATE TABLE passes (
            analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL,
            role TEXT NOT NULL, slot INTEGER NOT NULL, PRIMARY KEY (analysis_id, position));
        CREATE TABLE findings (
            id INTEGER PRIMARY KEY, analysis_id INTEGER NOT NULL REFERENCES analyses(id),
            report INTEGER, pass INTEGER, position INTEGER NOT NULL, role TEXT NOT NULL, kind TEXT NOT NULL,
            item TEXT NOT NULL,
            phenomenon TEXT AS (coalesce(
                json_extract(item, '$.phenomenon'), json_extract(item, '$.issue'), json_extract(item, '$.text'))),
            explanation TEXT AS (json_extract(item, '$.explanation')),
            FOREIGN KEY (analysis_id, report) REFERENCES reports(analysis_id, position),
            FOREIGN KEY (analysis_id, pass) REFERENCES passes(analysis_id, position));
        CREATE INDEX findings_by_analysis ON findings(analysis_id);
        CREATE TABLE candidates (
            analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL, id INTEGER NOT NULL,
            object TEXT NOT NULL, phenomenon TEXT NOT NULL, explanation TEXT NOT NULL, passes TEXT NOT NULL,
            scans TEXT NOT NULL, sources TEXT NOT NULL, outcome TEXT NOT NULL, PRIMARY KEY (analysis_id, position));
        CREATE TABLE anomalies (
            id INTEGER PRIMARY KEY, analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL,
            name TEXT NOT NULL, phenomenon TEXT NOT NULL, reasoning TEXT NOT NULL,
            severity INTEGER NOT NULL CHECK (severity BETWEEN 0 AND 100), objects TEXT NOT NULL,
            support INTEGER NOT NULL, UNIQUE (analysis_id, position));
        CREATE TABLE failures (
            analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL,
            role TEXT NOT NULL, object TEXT, error TEXT NOT NULL, message TEXT NOT NULL,
            PRIMARY KEY (analysis_id, position));
    """)


def m003_ledger(database: Database) -> None:
    """Every finished request, who is asking right now, and which calls an analysis is made of.

    `calls.image_sha256` is no foreign key on purpose: an answer that was paid for is kept whatever else is missing.
    A spare answer is good and paid for, but another process had recorded one before; it is never replayed.
    """
    database.executescript("""
        CREATE TABLE calls (
            id INTEGER PRIMARY KEY, key TEXT NOT NULL, role TEXT NOT NULL, step TEXT NOT NULL, object TEXT,
            slot INTEGER NOT NULL, model TEXT NOT NULL, image_sha256 TEXT NOT NULL, prompt TEXT NOT NULL,
            status TEXT NOT NULL CHECK (status IN ('good', 'bad', 'spare')), error TEXT, text TEXT NOT NULL,
            finish_reason TEXT NOT NULL, input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL, usd REAL, seconds REAL NOT NULL, created TEXT NOT NULL);
        CREATE INDEX calls_by_key ON calls(key);
        CREATE UNIQUE INDEX calls_good ON calls(key) WHERE status = 'good';
        CREATE TABLE call_claims (
            key TEXT PRIMARY KEY, owner TEXT NOT NULL, host TEXT NOT NULL, pid INTEGER NOT NULL, expires REAL NOT NULL);
        CREATE TABLE analysis_calls (
            analysis_id INTEGER NOT NULL REFERENCES analyses(id), position INTEGER NOT NULL, key TEXT NOT NULL,
            role TEXT NOT NULL, step TEXT NOT NULL, object TEXT, slot INTEGER NOT NULL, ledger_hit INTEGER NOT NULL,
            attempts INTEGER NOT NULL, input_tokens INTEGER NOT NULL, cached_input_tokens INTEGER NOT NULL,
            output_tokens INTEGER NOT NULL, usd REAL, PRIMARY KEY (analysis_id, position));
        CREATE INDEX analysis_calls_by_key ON analysis_calls(key);
    """)


def m004_reviews_predictions_scores(database: Database) -> None:
    """What people judged, what other models predicted, and how predictions scored. Rows are appended, never changed."""
    database.executescript("""
        CREATE TABLE reviews (
            id INTEGER PRIMARY KEY, anomaly_id INTEGER NOT NULL REFERENCES anomalies(id), annotator TEXT NOT NULL,
            verdict TEXT NOT NULL CHECK (verdict IN ('ACCEPT', 'REJECT', 'UNSURE')), reason TEXT, note TEXT,
            seconds REAL, created TEXT NOT NULL);
        CREATE INDEX reviews_by_anomaly ON reviews(anomaly_id);
        CREATE TABLE predictions (
            id INTEGER PRIMARY KEY, name TEXT NOT NULL, image TEXT NOT NULL, sha256 TEXT REFERENCES images(sha256),
            model TEXT NOT NULL, task TEXT NOT NULL CHECK (task IN ('anomalies', 'deepfake')), text TEXT NOT NULL,
            entries TEXT NOT NULL, created TEXT NOT NULL);
        CREATE INDEX predictions_by_name ON predictions(name, image);
        CREATE TABLE scores (
            id INTEGER PRIMARY KEY, predictions TEXT NOT NULL, ground_truth TEXT NOT NULL, protocol TEXT NOT NULL,
            settings TEXT NOT NULL, result TEXT NOT NULL, created TEXT NOT NULL);
    """)


STEPS: dict[str, Callable[[Database], None]] = {
    step.__name__: step
    for step in (
        m001_images_runs_analyses,
        m002_what_the_agents_said,
        m003_ledger,
        m004_reviews_predictions_scores,
        m005_views,
        m006_answers,
        m007_collection,
        m008_predictions,
    )
}
