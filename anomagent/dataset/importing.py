"""Published annotations into a workspace, as analyses of their images, so that people and programs can go on with them.

Each image's list is one analysis of a run `dataset import`. What is there already is not written again; a list that
has changed becomes a new analysis, and the old one stays.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import islice
from typing import Final, Literal

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
    imported_before,
    read_placed,
    write_entries,
)
from anomagent.store.reviews import append_answers
from anomagent.store.runs import finish_run
from anomagent.store.splits import Placed, save_parts
from anomagent.store.steps import DatasetStep

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
    """Images of which the last import said the same."""
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
    """Contents that are in the split."""
    unassigned: int = 0
    """Imported contents that the split does not name."""


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
    parts: Mapping[str, frozenset[str]],
    hashes: Mapping[str, str],
    told: Imported,
) -> None:
    """Keep the parts of a split file, given by base name, for imported images; add to `told` how many there are.

    Raises `UsageError`, and writes none of it, where a content is in two parts, or in another one already.
    """
    known = read_placed(workspace, split)
    placed: dict[str, str] = {}
    for part, names in parts.items():
        for name in sorted(names & hashes.keys()):
            sha256 = hashes[name]
            other = placed.get(sha256) or known.get(sha256, part)
            if other != part:
                raise UsageError(
                    f"split {shown(split)}: {shown(name)} is to be in {part}, but its content is in {other} already; "
                    "images never move: correct the file, or give the split another name"
                )
            placed[sha256] = part
    new = [Placed(sha256, part, "file") for sha256, part in placed.items() if sha256 not in known]
    save_parts(workspace, step, split, new)
    told.assigned, told.unassigned = len(placed), len(set(hashes.values()) - placed.keys())
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
