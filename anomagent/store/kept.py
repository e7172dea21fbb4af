"""What a data set keeps, as those who come after need it: where each image is, and what is still undone about it."""

import os
import shutil
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Final, NamedTuple

from anomagent.benchmark.annotations import base_name
from anomagent.errors import UsageError
from anomagent.store.database import store_errors
from anomagent.store.newest import leave_out_dropped, note_decided, note_newest, nothing_in, source_of
from anomagent.store.workspace import Workspace

_LONGEST: Final = 255
"""Bytes of a file's name."""


class Named(NamedTuple):
    """One name of an image that is kept, with what is known of it under this name."""

    sha256: str
    copy: Path
    """In the workspace."""
    bytes: int
    name: str | None
    """None: it came without one."""
    path: str | None
    """Where the file lay when it came, from the root on; None where only its name is known."""
    prompt: str | None
    source: str | None
    entry: str | None
    """What its manifest called it."""


class Analysed(NamedTuple):
    """Images of the data set."""

    images: int
    ended: int
    """With an analysis that has ended, be it well or not."""
    with_result: int
    """With one that has ended well, if only in part."""


class Undecided(NamedTuple):
    """Candidates about which people have still to decide."""

    candidates: int
    unsure: int
    """Of these, seen by somebody: nobody is sure, or as many accept as reject."""
    images: int
    """That have such a candidate."""


def read_kept(workspace: Workspace) -> Iterator[list[Named]]:
    """The images of the data set by content hash: of each its names, the first one that came first.

    Where a manifest or folder brought an image, the names are those that it had there, else those of its analyses.
    """
    query = """
        SELECT k.sha256, k.path, k.bytes, s.name, s.path, s.prompt, s.source, s.entry, s.created AS since
        FROM kept_images k JOIN sources s ON s.sha256 = k.sha256
        UNION ALL
        SELECT k.sha256, k.path, k.bytes, nullif(n.name, '<image>'), NULL, NULL, NULL, NULL, n.first_seen
        FROM kept_images k LEFT JOIN image_names n ON n.sha256 = k.sha256
        WHERE k.sha256 NOT IN (SELECT sha256 FROM sources)
        ORDER BY 1, since, 4"""
    with workspace.reading() as connection:
        for _, rows in groupby(connection.execute(query), key=lambda row: row[0]):
            yield [Named(sha256, workspace.path / copy, *rest) for sha256, copy, *rest, _ in rows]


def called_copy(workspace: Workspace, one: Named) -> Path:
    """The copy of an image that is called as its file was, whose place is `named/`, a further link to the copy.

    Images are matched by base name: analysed under that of the copy, one would be two images. A name that no
    file can have gives the copy itself. Raises `StoreError` where the workspace cannot be written.
    """
    base = base_name(one.name or "")
    if not base.strip(". ") or not base.isprintable() or len(os.fsencode(base)) > _LONGEST:
        return one.copy
    called = workspace.path / "named" / one.sha256[:16] / base
    with store_errors(workspace.path):
        if not called.is_file() or called.stat().st_size != one.bytes:
            called.parent.mkdir(parents=True, exist_ok=True)
            called.unlink(missing_ok=True)
            try:
                called.hardlink_to(one.copy)
            except FileExistsError:
                pass  # another process was quicker
            except OSError:  # a file system without links
                shutil.copyfile(one.copy, called)
    return called


def count_analysed(workspace: Workspace) -> Analysed:
    """How far the analysis of the data set is."""
    query = """
        SELECT count(*), total(sha256 IN (SELECT sha256 FROM analyses WHERE status != 'running')),
               total(sha256 IN (SELECT sha256 FROM analyses WHERE status IN ('ok', 'partial')))
        FROM kept_images"""
    with workspace.reading() as connection:
        return Analysed(*map(int, connection.execute(query).fetchone()))


def count_undecided(workspace: Workspace) -> Undecided:
    """Candidates of the newest analysis of each image of the data set that are neither accepted nor rejected.

    Those are the candidates that `anomagent review` asks about. Raises `UsageError` where nothing was analysed.
    """
    query = """
        SELECT count(*), count(verdict), count(DISTINCT analysis_id) FROM anomalies
        LEFT JOIN decided ON anomaly_id = anomalies.id
        WHERE analysis_id IN (SELECT id FROM newest) AND coalesce(verdict, 'UNSURE') = 'UNSURE'"""
    with workspace.reading() as connection:
        if not note_newest(connection, None, "sha256", further_names=True):
            raise UsageError(nothing_in(source_of(workspace, None)))
        leave_out_dropped(connection)
        note_decided(connection)
        return Undecided(*connection.execute(query).fetchone())
