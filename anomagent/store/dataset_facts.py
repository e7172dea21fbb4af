"""What the numbers of a data set are made of, counted by SQLite: no list of images or anomalies is ever in memory."""

import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from anomagent.benchmark.kinds import KINDS, Kind
from anomagent.state.findings import Anomaly
from anomagent.store.annotations import NewestAnalyses
from anomagent.store.candidates import kinds_rules


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

    `whole`: the images are all that belong to the data set, analysed or not, and `newest` has each content once; else
    they are those of `newest`, one with several names once for each.
    """
    newest.query("""
        CREATE TEMP TABLE found (
            position INTEGER PRIMARY KEY, sha256 TEXT NOT NULL, id INTEGER, has_result INTEGER, candidates INTEGER,
            accepted INTEGER)""")
    newest.query("""
        INSERT INTO found
        SELECT newest.position, sha256, newest.id, status != 'failed', count(anomalies.id), total(verdict = 'ACCEPT')
        FROM newest JOIN analyses USING (id) LEFT JOIN anomalies ON analysis_id = newest.id
        LEFT JOIN decided ON anomaly_id = anomalies.id GROUP BY newest.position""")
    newest.query("CREATE INDEX temp.found_by_content ON found(sha256)")
    images = "kept_images LEFT JOIN found USING (sha256)" if whole else "found"
    newest.query(f"""
        CREATE TEMP TABLE members AS
        SELECT sha256, position, source, prompt FROM (SELECT sha256, position FROM {images})
        JOIN image_facts USING (sha256)""")
    newest.query("CREATE INDEX temp.members_by_content ON members(sha256)")


def count_by_source(newest: NewestAnalyses) -> list[SourceCounts]:
    """The source with the most images first; an image with several sources counts for the one said last."""
    query = """
        SELECT source, count(*), total(has_result), total(candidates), total(accepted)
        FROM members LEFT JOIN found USING (position) GROUP BY source ORDER BY 2 DESC, source"""
    return [SourceCounts(source, *map(int, rest)) for source, *rest in newest.query(query)]


def count_by_part(newest: NewestAnalyses, split: str | None) -> list[PartCounts]:
    """The parts of one split, or of all."""
    query = """
        SELECT split, part, count(*), total(has_result), total(candidates), total(accepted)
        FROM splits JOIN members USING (sha256) LEFT JOIN found USING (position)
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
            SELECT count(*) AS number FROM found JOIN objects ON analysis_id = found.id GROUP BY found.position)
        GROUP BY number"""
    return iter(newest.query(query))


def names_of_objects(newest: NewestAnalyses) -> Iterator[tuple[str, int]]:
    """Names of objects and how often they occur."""
    return iter(newest.query("SELECT name, count(*) FROM found JOIN objects ON analysis_id = found.id GROUP BY name"))


class Text(NamedTuple):
    """A candidate as it is counted."""

    row: int
    """Its row in `anomalies`."""
    anomaly: Anomaly
    """Without objects and support."""
    accepted: bool
    kind: Kind | None
    """As it was kept; None where it was not read off the texts yet, or by other rules."""


def read_texts(newest: NewestAnalyses) -> Iterator[Text]:
    """Every candidate, one at a time."""
    query = f"""
        SELECT anomalies.id, name, phenomenon, reasoning, severity, coalesce(verdict = 'ACCEPT', 0), kind
        FROM found JOIN anomalies ON analysis_id = found.id LEFT JOIN decided ON decided.anomaly_id = anomalies.id
        LEFT JOIN {_KNOWN_KINDS} ON k.anomaly_id = anomalies.id"""
    for row, name, phenomenon, reasoning, severity, accepted, kind in newest.query(query, [kinds_rules()]):
        texts = {"name": name, "phenomenon": phenomenon, "reasoning": reasoning}
        anomaly = Anomaly.model_construct(**texts, severity=severity, objects=[], support=0)
        yield Text(row, anomaly, bool(accepted), kind if kind in KINDS else None)


def count_unsorted(newest: NewestAnalyses) -> int:
    """Candidates whose kind was not read off their texts yet."""
    query = f"""
        SELECT count(*) FROM found JOIN anomalies ON analysis_id = found.id
        LEFT JOIN {_KNOWN_KINDS} ON k.anomaly_id = anomalies.id WHERE kind IS NULL"""
    return newest.query(query, [kinds_rules()]).fetchone()[0]


_KNOWN_KINDS: Final = "(SELECT anomaly_id, kind FROM anomaly_kinds WHERE rules = ?) k"


def read_reviewed(newest: NewestAnalyses) -> Reviewed:
    """Answers about these candidates."""
    newest.query("""
        CREATE TEMP TABLE answered AS
        SELECT v.anomaly_id, v.annotator, v.capacity, v.verdict FROM verdicts v
        WHERE v.anomaly_id IN (SELECT anomalies.id FROM anomalies JOIN found ON found.id = analysis_id)""")
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
    return newest.query("SELECT count(*) FROM members WHERE prompt IS NOT NULL").fetchone()[0]


def count_described(newest: NewestAnalyses) -> int:
    """Real images with a description."""
    query = "SELECT count(*) FROM found WHERE id IN (SELECT analysis_id FROM findings WHERE kind = 'description')"
    return newest.query(query).fetchone()[0]


def count_dropped(newest: NewestAnalyses) -> dict[str, int]:
    """Images that are not in the data set, by the step that filtered them out; one may be out for several reasons."""
    query = "SELECT stage, count(DISTINCT sha256) FROM dropped_images GROUP BY stage ORDER BY stage"
    return dict(newest.query(query).fetchall())


def read_picture(newest: NewestAnalyses, sha256: str) -> dict[str, Any]:
    """Where an image lies in the workspace, its size in pixels, and what was said of it: path, width, height, source,
    prompt."""
    query = "SELECT path, width, height, source, prompt FROM images JOIN image_facts USING (sha256) WHERE sha256 = ?"
    names = ("path", "width", "height", "source", "prompt")
    return dict(zip(names, newest.query(query, [sha256]).fetchone(), strict=True))
