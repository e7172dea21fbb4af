"""Published annotations into a workspace, as analyses of their images, so that people and programs can go on with them.

Each image's list is one analysis of a run `dataset import`. What is there already is not written again; a list that
has changed becomes a new analysis, and the old one stays.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from anomagent.benchmark.annotations import AnnotationSet, base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.items import Item
from anomagent.dataset.import_images import Found, in_files, in_workspace, take
from anomagent.errors import UsageError
from anomagent.state.reviews import Answer
from anomagent.store import Workspace, start_run
from anomagent.store.imports import (
    COMMAND,
    Entry,
    answer_id,
    candidates_in,
    count_superseded,
    imported_before,
    write_entries,
)
from anomagent.store.reviews import append_answers
from anomagent.store.runs import finish_run
from anomagent.store.splits import read_members, save_parts
from anomagent.store.steps import DatasetStep

if TYPE_CHECKING:
    from anomagent.dataset.split_files import Unknown, Unlisted

_AT_ONCE: Final = 256
"""Entries that are written in one transaction."""
_SHOWN: Final = 3


@dataclass(frozen=True)
class Wishes:
    """What is to be said of the entries beside what their file says."""

    source: str | None = None
    """Where images come from of which no manifest says it: a generator or a collection."""
    reviewed_by: str | None = None
    """Who accepted them: an ACCEPT of this annotator is recorded for each."""
    missing: Literal["error", "skip"] = "error"
    """Entries whose image is not at hand, or is none: refuse the file, or leave them out and count them."""


@dataclass
class Imported:
    """What an import did. Counts are images, except where they are said to be something else."""

    run: str | None = None
    """The new analyses' run; None where nothing was new."""
    entries: int = 0
    """In the file."""
    new: int = 0
    """Analyses that were added."""
    unchanged: int = 0
    """Images of which the last import said the same: nothing was written."""
    superseded: int = 0
    """Of these: images that have been analysed since; that analysis counts, unless people reviewed the imported one."""
    anomalies: int = 0
    """Anomalies of the new analyses."""
    answers: int = 0
    """Answers that were recorded."""
    missing: int = 0
    """Left out: their image is not at hand, or is none that can be analysed."""
    failed: int = 0
    """Left out: the file has no list for them that can be read."""
    partial: int = 0
    """Imported without entries of their list that cannot be read."""
    descriptions: int = 0
    """Real images with a description, which have no anomaly."""
    assigned: int = 0
    """Images of the workspace that were given a part of the split."""
    unlisted: int = 0
    """Images of the workspace without a part that the split does not name."""
    unknown: int = 0
    """Names in the split that no image of the workspace has."""


def import_annotations(
    workspace: Workspace,
    step: DatasetStep,
    annotations: AnnotationSet,
    items: Iterable[Item] | None,
    wishes: Wishes,
    progress: Callable[[int], None] = lambda done: None,
) -> tuple[Imported, dict[str, str]]:
    """Write what a file says about images; return what was done, and the content hash of each base name.

    Images are matched by base name: with the files of `items`, or with the images that the workspace has. Raises
    `UsageError`, before anything is written, where two entries or two different files share a base name and where
    images are missing and may not be; and for a file that is no image, with what came before it written.
    """
    entries = annotations.by_base_name()
    told = Imported(entries=len(entries), failed=sum(one.failure is not None for one in entries.values()))
    readable = {name: one for name, one in entries.items() if one.failure is None}
    find = in_workspace(workspace) if items is None else in_files(items)
    places = {name: place for name in readable if (place := find(name))}
    missing = [name for name in readable if name not in places]
    if missing and wishes.missing == "error":
        raise UsageError(_complaint(annotations.source, missing))
    faults = _faults(annotations)
    waiting = (Found(readable[name], place) for name, place in places.items())
    hashes: dict[str, str] = {}
    while chunk := list(islice(waiting, _AT_ONCE)):
        taken = list(take(workspace, chunk, wishes.source, wishes.missing == "skip"))
        hashes |= {base_name(one.said.key): one.place.sha256 for one in taken}
        _write(workspace, annotations.source, [_entry(one, faults) for one in taken], wishes.reviewed_by, told)
        progress(len(hashes))
    if told.run:
        finish_run(workspace, told.run)
    told.missing = len(readable) - len(hashes)
    step.result = asdict(told)
    return told, hashes


def assign_parts(
    workspace: Workspace,
    step: DatasetStep,
    split: str,
    file: Path,
    told: Imported,
    unknown: "Unknown" = "error",
    unlisted: "Unlisted" = "error",
) -> None:
    """Keep the parts of a split file for the workspace's images, as `dataset split --file`, and add counts to `told`.

    Raises `UsageError`, and writes none of it, for what `read_official` refuses.
    """
    from anomagent.dataset.split_files import read_official  # needs numpy, which nothing else here does

    official = read_official(file, list(read_members(workspace, split)), unknown, unlisted)
    save_parts(workspace, step, split, official.placed)
    told.assigned, told.unlisted, told.unknown = map(len, (official.placed, official.unlisted, official.unknown))
    step.result = asdict(told)


def _complaint(source: str, missing: Sequence[str]) -> str:
    some = ", ".join(map(shown, missing[:_SHOWN])) + (", ..." if len(missing) > _SHOWN else "")
    what = "1 of its images is" if len(missing) == 1 else f"{len(missing)} of its images are"
    return (
        f"{source}: {what} not at hand ({some}); give the folder that has them with --images, or leave their entries "
        "out with --missing-images skip"
    )


def _faults(annotations: AnnotationSet) -> Mapping[str, tuple[str, ...]]:
    """What could not be read, by the entry's key."""
    found: defaultdict[str, tuple[str, ...]] = defaultdict(tuple)
    for bad in annotations.bad:
        found[bad.image] += (f"entry {bad.index + 1}: {bad.reason}",)
    return found


def _entry(found: Found, faults: Mapping[str, tuple[str, ...]]) -> Entry:
    said = found.said
    wrong = (*faults.get(said.key, ()), *([said.partial] if said.partial is not None else []))
    return Entry(said.key, found.place.sha256, said.anomalies, wrong, said.description)


def _write(
    workspace: Workspace, source: str, entries: Sequence[Entry], reviewed_by: str | None, told: Imported
) -> None:
    """Write the analyses that are new and the answers about all of them, and count."""
    with workspace.reading() as connection:
        analyses = imported_before(connection, entries)
        told.superseded += count_superseded(connection, list(analyses.values()))
    new = [entry for entry in entries if entry.image not in analyses]
    if new and told.run is None:
        told.run = start_run(workspace, COMMAND, {"file": source}, "")
    if told.run:
        with workspace.writing() as connection:
            analyses |= write_entries(connection, told.run, new)
    told.new += len(new)
    told.unchanged += len(entries) - len(new)
    told.anomalies += sum(len(entry.anomalies) for entry in new)
    told.partial += sum(bool(entry.faults) for entry in entries)
    told.descriptions += sum(entry.description is not None for entry in entries)
    if reviewed_by is not None:
        with workspace.reading() as connection:
            rows = candidates_in(connection, list(analyses.values()))
        told.answers += append_answers(
            workspace,
            [
                Answer(id=answer_id(row, reviewed_by), anomaly=row, annotator=reviewed_by, verdict="ACCEPT")
                for row in rows
            ],
        )
