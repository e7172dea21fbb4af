"""Writes what a workspace holds as files: results in the benchmark's shapes, and every agent's intermediate outputs.

One image is in memory at a time, in every shape; the file or folder appears whole or not at all.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TextIO, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.reading import PARTS
from anomagent.dataset.hugging_face import Card, write_hugging_face
from anomagent.dataset.places import checked_place, opened, whole_folder, whole_text
from anomagent.dataset.shapes import KEYS, SHAPES, Shape, json_text, text_of
from anomagent.dataset.stages import Stage
from anomagent.errors import UsageError
from anomagent.state.findings import Status
from anomagent.store import Workspace
from anomagent.store.annotations import Key, NewestAnalyses, Part, Tally, reading_newest

__all__ = ["WITH_RESULT", "Card", "Choices", "Exported", "Shape", "export"]

WITH_RESULT: Final[tuple[Status, ...]] = ("ok", "partial")
"""Analyses that have a list of anomalies, be it empty or incomplete; a failed one has none."""


@dataclass(frozen=True)
class Choices:
    """What is exported, and how."""

    run_id: str | None = None
    """Of this run alone, not of the whole workspace."""
    statuses: Collection[Status] = WITH_RESULT
    key: Key = "base"
    anomalies: Literal["accepted", "all"] = "accepted"
    """Candidates that people accepted, or all of them. Stages are what was said, whatever people made of it."""
    split: str | None = None
    """A folder with a file for each part of this split, and the split itself."""
    names: Collection[str] | None = None
    """Images with one of these base names alone."""
    overwrite: bool = False
    card: Card = field(default_factory=Card)
    """Shape hf alone."""


@dataclass(frozen=True)
class Exported:
    """What a file or folder came to hold, and what it could not; candidates that are not accepted stand beside."""

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
    rejected: int = 0
    """Candidates of the images that were written, as are the next two."""
    unsure: int = 0
    unreviewed: int = 0
    open_images: int = 0
    """Images that were written and have a candidate that is unreviewed or unsure."""
    dropped: int = 0
    """Images that were filtered out of the data set."""
    unassigned: int = 0
    """Images that are in no part of the split, and so in no file."""
    unknown: int = 0
    """Names that were asked for and are of no image."""


def export(
    workspace: Workspace, out: Path, content: Shape | Stage = "released", choices: Choices | None = None
) -> Exported:
    """Write the newest finished analysis of each image that belongs to the data set, as they are at this moment.

    A shape is one JSON object by `key` (jsonl: one object a line; hf: a folder that Hugging Face's datasets reads); a
    stage is JSON lines of image, sha256, run, status and, under the stage's name, the list of what was said. In lines,
    "image" is the whole name. Equal files are analysed once and written under each of their names. Images all of whose
    candidates were rejected have an empty list.

    Raises `UsageError` where there is nothing to write or nothing is accepted because nobody answered yet, two images
    of one object share a base name, `statuses` has "failed" in a shape that cannot say so, there is no such split, or
    the place is taken (without `overwrite`) or cannot be written.
    """
    chosen = choices or Choices()
    is_stage = content not in (*SHAPES, "jsonl", "hf")
    place = checked_place(workspace, out, chosen.overwrite, folder=content == "hf" or chosen.split is not None)
    if "failed" in chosen.statuses and not (is_stage or content == "jsonl"):
        raise UsageError(
            f"{out}: not written: shape {content} cannot say that an analysis failed; use jsonl or a stage"
        )
    accepted = chosen.anomalies == "accepted" and not is_stage
    with reading_newest(
        workspace, chosen.run_id, chosen.key, accepted=accepted, kept=True, names=chosen.names
    ) as newest:
        parts = _checked(newest, content, chosen, accepted, out)
        if content == "hf":
            with whole_folder(place, out) as folder:
                write_hugging_face(workspace, newest, folder, parts, chosen.statuses, chosen.key, chosen.card, out)
        elif chosen.split is None:
            with whole_text(place, out) as stream:
                stream.writelines(text_of(newest, newest.listed(chosen.statuses), content, chosen.key, out))
        else:
            with whole_folder(place, out) as folder:
                _write_parts(newest, folder, content, parts, chosen, out)
        return _exported(newest, parts, chosen, accepted, out)


def _write_parts(
    newest: NewestAnalyses,
    folder: Path,
    content: Shape | Stage,
    parts: "dict[str, Part]",
    chosen: Choices,
    out: Path,
) -> None:
    ending = "json" if content in SHAPES else "jsonl"
    for name, part in parts.items():
        with opened(folder / f"{name}.{ending}") as stream:
            listed = newest.listed(chosen.statuses, part)
            stream.writelines(text_of(newest, listed, content, chosen.key, out))
    with opened(folder / "split.json") as stream:
        _write_split(newest, stream, parts, chosen)


def _write_split(newest: NewestAnalyses, stream: TextIO, parts: "dict[str, Part]", chosen: Choices) -> None:
    named: Iterator[tuple[str, list[str]]] = (
        (name, [KEYS[chosen.key](one) for one in newest.listed(chosen.statuses, part)]) for name, part in parts.items()
    )
    stream.writelines(json_text(named))


def _checked(
    newest: NewestAnalyses, content: Shape | Stage, chosen: Choices, accepted: bool, out: Path
) -> "dict[str, Part]":
    """The parts to write by name. Raises `UsageError` before anything is written."""
    tallies = newest.tallies()
    if accepted and not newest.decided and any(tally.candidates for tally in tallies.values()):
        raise UsageError(
            f"{newest.source}: nothing is accepted yet, nobody has reviewed a candidate; review some, "
            "or export them all with --anomalies all"
        )
    if chosen.key == "base" and content in (*SHAPES, "hf"):
        shared = newest.sharing_a_base_name(chosen.statuses)
        if shared:
            raise UsageError(_not_unique(newest, *shared))
    if chosen.split is None:
        return {"train": None}
    parts = newest.parts(chosen.split)
    if not parts:
        known = ", ".join(newest.splits()) or "it has none yet"
        raise UsageError(f"{out}: not written: no split {chosen.split!r} in {newest.source}; known: {known}")
    if unknown := [name for name in parts if name not in PARTS]:
        raise UsageError(
            f"{out}: not written: {shown(unknown[0])} is no part of a split; known: {', '.join(sorted(PARTS))}"
        )
    return {name: (chosen.split, name) for name in parts}


def _not_unique(newest: NewestAnalyses, one: str, other: str) -> str:
    return (
        f"{newest.source}: {one!r} and {other!r} share the base name {base_name(one)!r}, by which images are matched; "
        "give --keys path or --keys sha256, or export one --run"
    )


def _exported(newest: NewestAnalyses, parts: "dict[str, Part]", chosen: Choices, accepted: bool, out: Path) -> Exported:
    tallies = newest.tallies()
    written = _sum(newest, list(parts.values()), chosen.statuses)
    unassigned = _sum(newest, [None], chosen.statuses).images - written.images if chosen.split else 0
    failed, partial = (tallies.get(cast(Status, status), Tally()).images for status in ("failed", "partial"))
    exported = Exported(written.images, written.candidates, failed, partial, newest.running, str(out))
    return replace(
        exported,
        anomalies=written.accepted if accepted else written.candidates,
        rejected=written.rejected,
        unsure=written.unsure,
        unreviewed=written.candidates - written.accepted - written.rejected - written.unsure,
        open_images=written.open_images,
        dropped=newest.dropped,
        unassigned=unassigned,
        unknown=newest.unknown,
    )


def _sum(newest: NewestAnalyses, parts: Collection[Part], statuses: Collection[Status]) -> Tally:
    tallies = [newest.tallies(part).get(status, Tally()) for part in parts for status in set(statuses)]
    return Tally(*map(sum, zip(Tally(), *tallies, strict=True)))
