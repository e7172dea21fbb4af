"""Writes what a workspace holds as files: results in the benchmark's shapes, and every agent's intermediate outputs.

One image is in memory at a time, in every shape; the file appears whole or not at all.
"""

import errno
import json
import os
from collections.abc import Callable, Collection, Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TextIO, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.files import whole_file
from anomagent.benchmark.writing import project_page_entry, released_entry
from anomagent.dataset.stages import Stage, stage_of
from anomagent.errors import UsageError
from anomagent.state.classic_text import format_anomalies
from anomagent.state.findings import Anomaly, Status
from anomagent.store import Workspace
from anomagent.store.annotations import Key, Listed, NewestAnalyses, Tally, reading_newest

Shape = Literal["released", "project-page", "jsonl", "classic"]
"""released, project-page: see `anomagent.benchmark.writing.Variant`; jsonl: the lines of `run --json`; classic: the
classic text by image."""

WITH_RESULT: Final[tuple[Status, ...]] = ("ok", "partial")
"""Analyses that have a list of anomalies, be it empty or incomplete; a failed one has none."""


@dataclass(frozen=True)
class Exported:
    """What a file came to hold, and what it could not. Counts are images, except `anomalies`."""

    images: int
    """Written."""
    anomalies: int
    """Reported for the images that were written."""
    failed: int
    """Images without a result."""
    partial: int
    """Images whose result lacks what failed."""
    running: int
    """Images whose newest analysis was begun and has not finished; an earlier result of theirs is written."""
    file: str


def export(
    workspace: Workspace,
    out: Path,
    content: Shape | Stage = "released",
    *,
    run_id: str | None = None,
    statuses: Collection[Status] = WITH_RESULT,
    key: Key = "base",
    overwrite: bool = False,
) -> Exported:
    """Write the newest finished analysis of each image, of a run or of the whole workspace, as they are at this moment.

    A shape is one JSON object by `key` (jsonl: one object a line); a stage is JSON lines of image, sha256, run, status
    and, under the stage's name, the list of what was said. In lines, "image" is the whole name. Equal files are
    analysed once and written under each of their names.

    Raises `UsageError` where there is nothing to write, two images of one object share a base name, `statuses` has
    "failed" in a shape that cannot say so, or the file exists (without `overwrite`) or cannot be written.
    """
    file = _checked_place(workspace, out, overwrite)
    if "failed" in statuses and content in _SHAPES:
        raise UsageError(
            f"{out}: not written: shape {content} cannot say that an analysis failed; use jsonl or a stage"
        )
    with reading_newest(workspace, run_id, key) as newest:
        shared = newest.sharing_a_base_name(statuses) if key == "base" and content in _SHAPES else None
        if shared:
            raise UsageError(_not_unique(newest, *shared))
        with _whole_file(file, out) as stream:
            stream.writelines(_text(newest, content, statuses, key, out))
        return _exported(newest, statuses, out)


def _text(
    newest: NewestAnalyses, content: Shape | Stage, statuses: Collection[Status], key: Key, out: Path
) -> Iterator[str]:
    """The file, in pieces of one image each."""
    listed = newest.listed(statuses)
    if content in _SHAPES:
        shaped = _SHAPES[content]
        return _json_object(
            (_KEYS[key](one), shaped(_readable(newest.anomalies(one.id), one.image, out))) for one in listed
        )
    if content == "jsonl":
        return _json_lines(newest.result(one) for one in listed)
    stage = cast(Stage, content)
    return _json_lines(_stage_line(one, stage, stage_of(newest.lists(one.id), stage)) for one in listed)


def _stage_line(listed: Listed, stage: str, said: list[Any]) -> dict[str, Any]:
    return {"image": listed.image, "sha256": listed.sha256, "run": listed.run, "status": listed.status, stage: said}


def _json_object(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    """The text of one JSON object, item by item, as `json.dumps` indents the whole."""
    between = "{\n"
    for key, value in items:
        yield between + json.dumps({key: value}, ensure_ascii=False, indent=4)[2:-2]
        between = ",\n"
    yield "{}\n" if between == "{\n" else "\n}\n"


def _json_lines(values: Iterable[object]) -> Iterator[str]:
    return (json.dumps(value, ensure_ascii=False) + "\n" for value in values)


_SHAPES: Final[Mapping[str, Callable[[list[Anomaly]], object]]] = {
    "released": lambda anomalies: [released_entry(anomaly) for anomaly in anomalies],
    "project-page": lambda anomalies: [project_page_entry(anomaly) for anomaly in anomalies],
    "classic": format_anomalies,
}
"""Shapes that are one object, and how they write the anomalies of an image."""
_KEYS: Final[Mapping[Key, Callable[[Listed], str]]] = {
    "base": lambda listed: base_name(listed.image),
    "path": lambda listed: listed.image,
    "sha256": lambda listed: listed.sha256,
}


def _readable(anomalies: list[Anomaly], image: str, out: Path) -> list[Anomaly]:
    for anomaly in anomalies:
        if not (anomaly.name.strip() and anomaly.phenomenon.strip() and anomaly.reasoning.strip()):
            raise UsageError(f"{out}: not written: an anomaly of {image!r} has an empty text; use jsonl or a stage")
    return anomalies


def _not_unique(newest: NewestAnalyses, one: str, other: str) -> str:
    return (
        f"{newest.source}: {one!r} and {other!r} share the base name {base_name(one)!r}, by which images are matched; "
        "give --keys path or --keys sha256, or export one --run"
    )


def _exported(newest: NewestAnalyses, statuses: Collection[Status], out: Path) -> Exported:
    tallies = newest.tallies()
    written = [tallies.get(status, Tally()) for status in set(statuses)]
    images, anomalies = (sum(tally[part] for tally in written) for part in (0, 1))
    failed, partial = (tallies.get(status, Tally()).images for status in ("failed", "partial"))
    return Exported(images, anomalies, failed, partial, newest.running, str(out))


def _checked_place(workspace: Workspace, out: Path, overwrite: bool) -> Path:
    """The file to write, links followed. Raises `UsageError` before anything is read."""
    try:
        file = out.expanduser().resolve()
        exists, folder = file.exists(), file.parent.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{out}: cannot be written ({error}); choose another file") from error
    own = (workspace.database_path.name, workspace.checkpoints_path.name)
    if file.parent == workspace.path.resolve() and file.name.startswith(own):
        raise UsageError(f"{out}: belongs to the workspace itself; choose another file")
    if not folder:
        raise UsageError(f"{out}: its folder does not exist; make it, or choose another file")
    if exists and not file.is_file():
        raise UsageError(f"{out}: is a folder or no regular file; choose another file")
    if exists and not overwrite:
        raise UsageError(f"{out}: exists; give --force to replace it, or choose another file")
    return file


@contextmanager
def _whole_file(file: Path, out: Path) -> Generator[TextIO]:
    """A stream into a file that takes its place once it is complete, and is gone where anything fails."""
    try:
        with whole_file(file) as unfinished, unfinished.open("w", encoding="utf-8", newline="\n") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())  # some disks only say here that they are full
    except OSError as error:
        raise UsageError(f"{out}: {_problem(error)}") from error


def _problem(error: OSError) -> str:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "not written: disk full; free space or choose another disk, then run again"
    return f"cannot be written ({error.strerror or type(error).__name__}); choose another file"
