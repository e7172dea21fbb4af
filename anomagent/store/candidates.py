"""Candidates for review: what the newest analysis of each content reports, compactly, and their texts one at a time."""

import hashlib
import json
import sqlite3
from array import array
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from importlib import resources
from itertools import accumulate
from typing import Any, Final, NamedTuple

from anomagent.benchmark.kinds import KINDS, Kind, kind_of
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.store.database import select
from anomagent.store.newest import check_run, leave_out_dropped, note_newest, nothing_in, source_of
from anomagent.store.workspace import Workspace

UNKNOWN_KIND: Final = len(KINDS)
"""Stands for the kind of a candidate that was not classified yet."""
_SOURCE: Final = "(SELECT source FROM image_facts WHERE sha256 = i.sha256)"


class Candidate(NamedTuple):
    """One thing that people are asked about: a row of `anomalies`, by its id, and the image it is about."""

    id: int
    sha256: str
    image: str
    """The image's name as it was analysed."""
    width: int
    """Pixels, after the EXIF orientation is applied."""
    height: int
    position: int
    """In the list of its analysis, from 0."""
    severity: int
    """0 = completely implausible, 100 = realistic."""
    kind: Kind
    source: str | None
    """Generator or collection: what was said last, under whatever name of the image."""


class CandidateImage(NamedTuple):
    """An image with candidates; they lie at `start` up to, not including, `stop` of the table."""

    sha256: str
    name: str
    width: int
    height: int
    source: str | None
    start: int
    stop: int


@dataclass
class CandidateTable:
    """All candidates by image, images in the order of their hashes: whatever part of it is done is a fair sample."""

    images: list[CandidateImage] = field(default_factory=list[CandidateImage])
    ids: "array[int]" = field(default_factory=lambda: array("q"))
    positions: "array[int]" = field(default_factory=lambda: array("I"))
    severities: bytearray = field(default_factory=bytearray)
    kinds: bytearray = field(default_factory=bytearray)
    """Places in `KINDS`, or `UNKNOWN_KIND`."""
    contents: "array[int]" = field(default_factory=lambda: array("Q"))
    """64 bits of a hash of the image and the texts; empty unless asked for."""
    missing: int = 0
    """Images left out because their file is not in the workspace."""


def read_candidates(workspace: Workspace, run_id: str | None = None, *, contents: bool = False) -> CandidateTable:
    """The candidates of a run, or of the whole workspace, on images that belong to the data set.

    Of each content the newest analysis that has a result counts. `contents` asks for the hashes, which takes longer.
    Raises `UsageError` where there is no such run or nothing was finished.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            check_run(workspace, connection, run_id)
        if not note_newest(connection, run_id, "sha256", further_names=True):
            raise UsageError(nothing_in(source_of(workspace, run_id)))
        leave_out_dropped(connection)
        return _table(workspace, connection, contents)


def candidate_texts(workspace: Workspace, anomaly: int) -> dict[str, Any]:
    """name, phenomenon, reasoning, objects, and the boxes of these objects as far as they are known.

    A box is {object, x0, y0, x1, y1}, in pixels of the upright image; names are compared without regard to case.
    Raises `UsageError` where there is no such candidate.
    """
    query = """
        SELECT name, phenomenon, reasoning, objects, sha256 FROM anomalies n JOIN analyses a ON a.id = n.analysis_id
        WHERE n.id = ?"""
    with workspace.reading() as connection:
        rows = select(connection, query, [anomaly])
        if not rows:
            raise UsageError(f"no candidate {anomaly} in workspace {workspace.path}")
        texts = rows[0]
        query = "SELECT object, x0, y0, x1, y1 FROM object_boxes WHERE sha256 = ? ORDER BY rowid"
        boxes = select(connection, query, [texts.pop("sha256")])
    objects: list[str] = json.loads(texts["objects"])
    named = {name.casefold() for name in objects}
    return {**texts, "objects": objects, "boxes": [box for box in boxes if box["object"].casefold() in named]}


def find_candidate(workspace: Workspace, anomaly: int) -> Candidate | None:
    """A candidate whether or not it is one of the newest analysis; None where there is no such row."""
    query = f"""
        SELECT n.id, i.sha256, a.image, i.width, i.height, n.position, n.severity, {_SOURCE},
               n.name, n.phenomenon, n.reasoning
        FROM anomalies n JOIN analyses a ON a.id = n.analysis_id JOIN images i ON i.sha256 = a.sha256
        WHERE n.id = ?"""
    with workspace.reading() as connection:
        row = connection.execute(query, [anomaly]).fetchone()
    if row is None:
        return None
    *about, source, name, phenomenon, reasoning = row
    return Candidate(*about, kind=_kind(name, phenomenon, reasoning), source=source)


def kinds_of(
    workspace: Workspace, anomalies: Sequence[int], between: Callable[[], object] = lambda: None
) -> dict[int, Kind]:
    """The kinds of some candidates, read off their texts: about a millisecond each; `between` is called after each."""
    query = """
        SELECT id, name, phenomenon, reasoning FROM anomalies
        WHERE id IN (SELECT value FROM json_each(?))"""
    with workspace.reading() as connection:
        rows = connection.execute(query, [json.dumps(list(anomalies))]).fetchall()
    kinds: dict[int, Kind] = {}
    for number, name, phenomenon, reasoning in rows:
        kinds[number] = _kind(name, phenomenon, reasoning)
        between()
    return kinds


def save_kinds(workspace: Workspace, kinds: Mapping[int, Kind]) -> None:
    """Keep kinds for the next time; those by other rules are replaced."""
    query = "INSERT OR REPLACE INTO anomaly_kinds (anomaly_id, rules, kind) VALUES (?, ?, ?)"
    with workspace.writing() as connection:
        connection.executemany(query, ((number, kinds_rules(), kind) for number, kind in kinds.items()))


def _kind(name: str, phenomenon: str, reasoning: str) -> Kind:
    return kind_of(Anomaly.model_construct(None, name=name, phenomenon=phenomenon, reasoning=reasoning))


@cache
def kinds_rules() -> str:
    """Which rules kinds are read by: a kind that was kept is of use only under the same ones."""
    text = resources.files("anomagent.benchmark").joinpath("kinds.toml").read_bytes()
    return hashlib.sha256(text).hexdigest()[:16]


def _table(workspace: Workspace, connection: sqlite3.Connection, contents: bool) -> CandidateTable:
    connection.execute("CREATE TEMP TABLE chosen (place INTEGER PRIMARY KEY, analysis_id INTEGER NOT NULL)")
    table, images = CandidateTable(), _images(connection)
    present = [image for image in images if (workspace.path / image[1]).is_file()]
    table.missing = len(images) - len(present)
    connection.executemany("INSERT INTO chosen VALUES (?, ?)", ((place, row[0]) for place, row in enumerate(present)))
    counts = [0] * len(present)
    for row in _rows(connection, contents):
        place: int = row[0]
        counts[place] += 1
        _append(table, row[1:], present[place])
    stops = accumulate(counts)
    for (_, _, *about), count, stop in zip(present, counts, stops, strict=True):
        table.images.append(CandidateImage(*about, start=stop - count, stop=stop))
    return table


def _images(connection: sqlite3.Connection) -> list[tuple[Any, ...]]:
    """Analysis, path, and what `CandidateImage` begins with, of every image with candidates, by content hash."""
    query = f"""
        SELECT a.id, i.path, i.sha256, newest.image, i.width, i.height, {_SOURCE}
        FROM newest JOIN analyses a ON a.id = newest.id JOIN images i ON i.sha256 = a.sha256
        WHERE EXISTS (SELECT 1 FROM anomalies WHERE analysis_id = a.id) AND a.status IN ('ok', 'partial')
        ORDER BY i.sha256"""
    return connection.execute(query).fetchall()


def _rows(connection: sqlite3.Connection, contents: bool) -> Iterable[tuple[Any, ...]]:
    texts = ", name, phenomenon, reasoning" if contents else ""
    query = f"""
        SELECT place, n.id, n.position, n.severity, k.kind{texts}
        FROM chosen CROSS JOIN anomalies n USING (analysis_id)
        LEFT JOIN anomaly_kinds k ON k.anomaly_id = n.id AND k.rules = ?
        ORDER BY place, n.position"""
    return connection.execute(query, [kinds_rules()])


_PLACES: Final[Mapping[str | None, int]] = {None: UNKNOWN_KIND, **{kind: place for place, kind in enumerate(KINDS)}}


def _append(table: CandidateTable, row: Sequence[Any], image: Sequence[Any]) -> None:
    number, position, severity, kind, *texts = row
    table.ids.append(number)
    table.positions.append(position)
    table.severities.append(severity)
    table.kinds.append(_PLACES.get(kind, UNKNOWN_KIND))
    if texts:
        content = hashlib.blake2b("\0".join([image[2], *texts]).encode(), digest_size=8).digest()
        table.contents.append(int.from_bytes(content, "big"))
