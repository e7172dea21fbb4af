"""The workspace's analyses as annotations: all at once, to be compared with a benchmark's, or one at a time."""

import json
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Collection, Generator, Mapping
from contextlib import contextmanager
from typing import Any

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from anomagent.store.database import select
from anomagent.store.newest import (
    Key,
    check_run,
    count_hidden,
    count_running,
    count_superseded,
    leave_out_dropped,
    leave_out_unnamed,
    note_decided,
    note_newest,
    nothing_in,
    source_of,
)
from anomagent.store.newest_analyses import Cut, Listed, NewestAnalyses, Part, Tally, read_anomalies
from anomagent.store.workspace import Workspace

__all__ = ["Cut", "Key", "Listed", "NewestAnalyses", "Part", "Tally", "annotations_of", "reading_newest"]


@contextmanager
def reading_newest(
    workspace: Workspace,
    run_id: str | None = None,
    key: Key = "base",
    *,
    accepted: bool = False,
    kept: bool = False,
    names: Collection[str] | None = None,
    may_be_empty: bool = False,
) -> Generator[NewestAnalyses]:
    """The newest finished analyses of a run, or of the whole workspace, whatever others write meanwhile.

    Equal files are analysed once: their other names stand for that analysis. With `key` "base", the same content under
    the same base name is one image; with "sha256" each content is one; with "path" each name, which stands for the
    content that it had last, and contents that have no name any more are counted.

    `accepted`: anomalies are those that people accepted, who review contents, not names: of each content the newest
    analysis counts of which somebody decided something, and only else the newest of all. `kept`: images that belong to
    the data set; `names`: images with one of these base names. Raises `UsageError` where there is no such run, or
    nothing was finished and that may not be.
    """
    with workspace.reading() as connection:
        if run_id is not None:
            check_run(workspace, connection, run_id)
        source = source_of(workspace, run_id)
        note_decided(connection)
        if not note_newest(connection, run_id, key, further_names=True, reviewed=accepted) and not may_be_empty:
            raise UsageError(nothing_in(source))
        hidden = count_hidden(connection, run_id, kept=kept)
        dropped = leave_out_dropped(connection) if kept else 0
        unknown = 0 if names is None else leave_out_unnamed(connection, names)
        running = count_running(connection, run_id)
        superseded = count_superseded(connection, run_id) if accepted else 0
        yield NewestAnalyses(source, running, dropped, unknown, superseded, hidden, accepted, connection)


def annotations_of(
    workspace: Workspace, run_id: str | None = None, *, accepted: bool = False, kept: bool = False
) -> AnnotationSet:
    """What was found in each image of a run, or of the whole workspace: the newest analysis that has a result counts.

    Images are known by the name they were analysed under; the same content under the same base name is one image, in
    whatever folder it lay. An image without any result has a failure instead of a list. `accepted`: only what people
    accepted, as in `reading_newest`; `kept`: only images that belong to the data set. Raises `UsageError` where there
    is no such run, nothing was finished, or two contents were analysed under one name.
    """
    source = source_of(workspace, run_id)
    with workspace.reading() as connection:
        if run_id is not None:
            check_run(workspace, connection, run_id)
        if accepted:
            note_decided(connection)
        if not note_newest(connection, run_id, "base", further_names=False, reviewed=accepted):
            raise UsageError(nothing_in(source))
        if kept:
            leave_out_dropped(connection)
        query = "SELECT id, newest.image, status FROM newest JOIN analyses USING (id) ORDER BY position"
        analyses = select(connection, query)
        ids = json.dumps([row["id"] for row in analyses])
        anomalies, reasons = read_anomalies(connection, ids, accepted), _reasons(connection, ids)
    images = {row["image"]: _image(row, anomalies, reasons) for row in analyses}
    if len(images) < len(analyses):
        name, _ = Counter(row["image"] for row in analyses).most_common(1)[0]
        raise UsageError(
            f"{source}: two different images were analysed as {name!r}, by which images are matched; take one run, or "
            "analyse them under different names"
        )
    return AnnotationSet(source, images)


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
    partial = "; ".join(reasons.get(row["id"], [])) if row["status"] == "partial" else None
    return ImageAnnotations(row["image"], tuple(anomalies.get(row["id"], ())), partial=partial)
