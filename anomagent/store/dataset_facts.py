"""What the numbers of a data set are made of, counted by SQLite: no list of images or anomalies is ever in memory."""

import json
from collections.abc import Iterator
from typing import Any, NamedTuple

from anomagent.state.findings import Anomaly
from anomagent.store.annotations import NewestAnalyses


class SourceCounts(NamedTuple):
    """Images of one source, a generator or a collection, and what was found in them."""

    source: str | None
    """None: nobody said where these images come from."""
    images: int
    analysed: int
    """Images with a result, be it empty or incomplete."""
    candidates: int
    accepted: int


class PartCounts(NamedTuple):
    """One part of a split; as in `SourceCounts`."""

    split: str
    part: str
    images: int
    analysed: int
    candidates: int
    accepted: int


class SeverityCounts(NamedTuple):
    """Candidates of one severity. 0 = completely implausible."""

    severity: int
    candidates: int
    accepted: int


class Reviewed(NamedTuple):
    """How much people said of the candidates; answers that stand."""

    people: int
    answers: int
    shared: int
    """Candidates with answers of two or more annotators."""
    unanimous: int
    """Of these: candidates of which all annotators say the same."""


class Analysed(NamedTuple):
    """Images by how they were analysed."""

    schedule: str
    models: dict[str, str]
    """Model by role."""
    images: int


def prepare(newest: NewestAnalyses, whole: bool) -> None:
    """Fill the temporary tables that all of these functions read; call it once for a reading.

    `whole`: the images are all that belong to the data set, analysed or not; else those of `newest`.
    """
    newest.query("""
        CREATE TEMP TABLE found (
            sha256 TEXT PRIMARY KEY, id INTEGER, has_result INTEGER, candidates INTEGER, accepted INTEGER)""")
    newest.query("""
        INSERT OR IGNORE INTO found
        SELECT sha256, newest.id, status != 'failed', count(anomalies.id), total(verdict = 'ACCEPT')
        FROM newest JOIN analyses USING (id) LEFT JOIN anomalies ON analysis_id = newest.id
        LEFT JOIN decided ON anomaly_id = anomalies.id GROUP BY newest.position ORDER BY newest.id DESC""")
    newest.query("CREATE TEMP TABLE members (sha256 TEXT PRIMARY KEY, source TEXT)")
    newest.query(f"INSERT INTO members (sha256) SELECT sha256 FROM {'kept_images' if whole else 'found'}")
    newest.query("CREATE TEMP TABLE said (sha256 TEXT PRIMARY KEY, source TEXT, latest TEXT)")
    newest.query("""
        INSERT INTO said SELECT sha256, source, max(created) FROM sources WHERE source IS NOT NULL GROUP BY sha256""")
    newest.query("UPDATE members SET source = (SELECT source FROM said WHERE said.sha256 = members.sha256)")


def count_by_source(newest: NewestAnalyses) -> list[SourceCounts]:
    """The source with the most images first; an image with several sources counts for the one said last."""
    query = """
        SELECT source, count(*), total(has_result), total(candidates), total(accepted)
        FROM members LEFT JOIN found USING (sha256) GROUP BY source ORDER BY 2 DESC, source"""
    return [SourceCounts(source, *map(int, rest)) for source, *rest in newest.query(query)]


def count_by_part(newest: NewestAnalyses, split: str | None) -> list[PartCounts]:
    """The parts of one split, or of all."""
    query = """
        SELECT split, part, count(*), total(has_result), total(candidates), total(accepted)
        FROM splits JOIN members USING (sha256) LEFT JOIN found USING (sha256)
        WHERE ?1 IS NULL OR split = ?1 GROUP BY split, part ORDER BY split, part != 'train', part"""
    return [PartCounts(split, part, *map(int, rest)) for split, part, *rest in newest.query(query, [split])]


def count_by_severity(newest: NewestAnalyses) -> list[SeverityCounts]:
    """Severities that occur."""
    query = """
        SELECT severity, count(*), total(verdict = 'ACCEPT') FROM found JOIN anomalies ON analysis_id = found.id
        LEFT JOIN decided ON anomaly_id = anomalies.id GROUP BY severity"""
    return [SeverityCounts(*map(int, row)) for row in newest.query(query)]


def count_objects(newest: NewestAnalyses) -> Iterator[tuple[int, int]]:
    """How many objects were perceived in an image, and in how many images; without images where none was asked for."""
    query = """
        SELECT number, count(*) FROM (
            SELECT count(*) AS number FROM found JOIN objects ON analysis_id = found.id GROUP BY found.id)
        GROUP BY number"""
    return iter(newest.query(query))


def names_of_objects(newest: NewestAnalyses) -> Iterator[tuple[str, int]]:
    """Names of objects and how often they occur."""
    return iter(newest.query("SELECT name, count(*) FROM found JOIN objects ON analysis_id = found.id GROUP BY name"))


def read_texts(newest: NewestAnalyses) -> Iterator[tuple[Anomaly, bool]]:
    """Every candidate, one at a time, and whether it was accepted; without objects and support."""
    query = """
        SELECT name, phenomenon, reasoning, severity, coalesce(verdict = 'ACCEPT', 0)
        FROM found JOIN anomalies ON analysis_id = found.id LEFT JOIN decided ON anomaly_id = anomalies.id"""
    for name, phenomenon, reasoning, severity, accepted in newest.query(query):
        texts = {"name": name, "phenomenon": phenomenon, "reasoning": reasoning}
        yield Anomaly.model_construct(**texts, severity=severity, objects=[], support=0), bool(accepted)


def read_reviewed(newest: NewestAnalyses) -> Reviewed:
    """Answers about these candidates."""
    newest.query("""
        CREATE TEMP TABLE answered AS
        SELECT v.anomaly_id, v.annotator, v.capacity, v.verdict FROM verdicts v
        JOIN anomalies ON anomalies.id = v.anomaly_id JOIN found ON found.id = analysis_id""")
    ((people, answers),) = newest.query("SELECT count(DISTINCT annotator), count(*) FROM answered")
    ((shared, unanimous),) = newest.query("""
        SELECT count(*), total(same) FROM (
            SELECT min(verdict) = max(verdict) AS same FROM answered WHERE capacity = 'annotator'
            GROUP BY anomaly_id HAVING count(*) > 1)""")
    return Reviewed(people, answers, shared, int(unanimous))


def read_analysed(newest: NewestAnalyses) -> list[Analysed]:
    """The most frequent way first."""
    query = """
        SELECT schedule, models, count(*) FROM found JOIN analyses USING (id) GROUP BY schedule, models
        ORDER BY 3 DESC, schedule, models"""
    return [Analysed(schedule, json.loads(models), images) for schedule, models, images in newest.query(query)]


def count_prompts(newest: NewestAnalyses) -> int:
    """Images whose prompt is known."""
    query = "SELECT count(DISTINCT sha256) FROM members JOIN sources USING (sha256) WHERE prompt IS NOT NULL"
    return newest.query(query).fetchone()[0]


def count_dropped(newest: NewestAnalyses) -> dict[str, int]:
    """Images that are not in the data set, by the step that filtered them out; one may be out for several reasons."""
    query = "SELECT stage, count(DISTINCT sha256) FROM dropped_images GROUP BY stage ORDER BY stage"
    return dict(newest.query(query).fetchall())


def read_picture(newest: NewestAnalyses, sha256: str) -> dict[str, Any]:
    """Where an image lies in the workspace, its size in pixels, and what was said of it: path, width, height, source,
    prompt."""
    query = "SELECT path, width, height FROM images WHERE sha256 = ?"
    path, width, height = newest.query(query, [sha256]).fetchone()
    query = "SELECT source, prompt FROM sources WHERE sha256 = ? ORDER BY source IS NULL, created DESC LIMIT 1"
    source, prompt = newest.query(query, [sha256]).fetchone() or (None, None)
    return {"path": path, "width": width, "height": height, "source": source, "prompt": prompt}
