"""Annotations that somebody else made, as analyses: written once, found again by what they say."""

import hashlib
import json
import sqlite3
from collections.abc import Iterable, Sequence
from typing import Any, Final, Literal, NamedTuple

from anomagent.state.findings import Anomaly
from anomagent.store.database import clean, now
from anomagent.store.workspace import Workspace

IMPORTED: Final = "imported"
"""The schedule of analyses that nobody here made."""
COMMAND: Final = "dataset import"
"""The command of their runs."""
_ROLE: Final = "Import"
_ANSWERED: Final = "import-{}-{}"


class Entry(NamedTuple):
    """What a file says about one image of the workspace."""

    image: str
    """As the file names it."""
    sha256: str
    anomalies: tuple[Anomaly, ...]
    faults: tuple[str, ...] = ()
    """What could not be read of the list; it may lack something."""
    description: str | None = None
    """A real image: why it looks real."""

    @property
    def thread(self) -> str:
        """Known by its content: the image's and the list's."""
        said = [[anomaly.model_dump() for anomaly in self.anomalies], self.faults, self.description]
        text = json.dumps(clean(said), sort_keys=True)
        return f"{self.sha256}-{hashlib.sha256(text.encode()).hexdigest()[:16]}"

    @property
    def status(self) -> Literal["ok", "partial"]:
        """Partial where something could not be read."""
        return "partial" if self.faults else "ok"


def imported_before(connection: sqlite3.Connection, entries: Iterable[Entry]) -> dict[str, int]:
    """The analyses that say the same as an entry, by the entry's image; only the last import of each image counts."""
    query = """
        SELECT thread_id, id FROM analyses WHERE sha256 = ? AND image = ? AND schedule = ? ORDER BY id DESC LIMIT 1"""
    found: dict[str, int] = {}
    for entry in entries:
        row = connection.execute(query, [entry.sha256, clean(entry.image), IMPORTED]).fetchone()
        if row and row[0] == entry.thread:
            found[entry.image] = row[1]
    return found


def count_superseded(connection: sqlite3.Connection, analyses: Sequence[int]) -> int:
    """How many of these analyses are of an image that has a newer one with a result."""
    query = """
        SELECT count(*) FROM json_each(?) JOIN analyses a ON a.id = value WHERE EXISTS (
            SELECT 1 FROM analyses WHERE sha256 = a.sha256 AND id > a.id AND status IN ('ok', 'partial'))"""
    return connection.execute(query, [json.dumps(list(analyses))]).fetchone()[0]


def write_entries(connection: sqlite3.Connection, run_id: str, entries: Iterable[Entry]) -> dict[str, int]:
    """Insert an analysis for each entry, inside a transaction, and return them by the entry's image."""
    return {entry.image: _write(connection, run_id, entry) for entry in entries}


def candidates_in(connection: sqlite3.Connection, analyses: Sequence[int]) -> list[int]:
    """The rows of the anomalies of these analyses."""
    query = "SELECT id FROM anomalies WHERE analysis_id IN (SELECT value FROM json_each(?)) ORDER BY id"
    return [row[0] for row in connection.execute(query, [json.dumps(list(analyses))])]


def answer_id(anomaly: int, annotator: str) -> str:
    """The id of the answer that came with an imported anomaly: the same each time that it is imported."""
    return _ANSWERED.format(anomaly, hashlib.sha256(annotator.encode()).hexdigest()[:16])


def _write(connection: sqlite3.Connection, run_id: str, entry: Entry) -> int:
    moment = now()
    query = """
        INSERT INTO analyses (
            run_id, sha256, image, thread_id, status, schedule, models, started, finished, seconds, calls, ledger_hits,
            input_tokens, cached_input_tokens, output_tokens, usd)
        VALUES (?, ?, ?, ?, ?, ?, '{}', ?, ?, 0.0, 0, 0, 0, 0, 0, 0.0)"""
    row = [run_id, entry.sha256, clean(entry.image), entry.thread, entry.status, IMPORTED, moment, moment]
    analysis = connection.execute(query, row).lastrowid
    assert analysis is not None
    connection.executemany(
        """INSERT INTO anomalies (analysis_id, position, name, phenomenon, reasoning, severity, objects, support)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?)""",
        [[analysis, place, *_columns(anomaly)] for place, anomaly in enumerate(entry.anomalies)],
    )
    query = "INSERT INTO failures (analysis_id, position, role, object, error, message) VALUES (?, ?, ?, NULL, ?, ?)"
    faults = [[analysis, place, _ROLE, "bad_entry", clean(fault)] for place, fault in enumerate(entry.faults)]
    connection.executemany(query, faults)
    if entry.description is not None:
        query = "INSERT INTO findings (analysis_id, position, role, kind, item) VALUES (?, 0, ?, 'description', ?)"
        connection.execute(query, [analysis, _ROLE, json.dumps(clean({"text": entry.description}))])
    return analysis


def _columns(anomaly: Anomaly) -> list[Any]:
    texts = clean([anomaly.name, anomaly.phenomenon, anomaly.reasoning])
    return [*texts, anomaly.severity, json.dumps(clean(anomaly.objects), ensure_ascii=False), anomaly.support]


def note_names(connection: sqlite3.Connection, names: Iterable[tuple[str, str]]) -> None:
    """Note what images, by content hash, are called as well, inside a transaction."""
    query = "INSERT OR IGNORE INTO image_names (sha256, name, first_seen) VALUES (?, ?, ?)"
    moment = now()
    connection.executemany(query, [(sha256, clean(name), moment) for sha256, name in names])


def kept_copies(workspace: Workspace, contents: Sequence[str]) -> set[str]:
    """Which of these contents the workspace has, with a copy that is whole."""
    query = "SELECT sha256, path, bytes FROM images WHERE sha256 IN (SELECT value FROM json_each(?))"
    with workspace.reading() as connection:
        rows = connection.execute(query, [json.dumps(list(contents))]).fetchall()
    copies = ((sha256, workspace.path / path, size) for sha256, path, size in rows)
    return {sha256 for sha256, copy, size in copies if copy.is_file() and copy.stat().st_size == size}
