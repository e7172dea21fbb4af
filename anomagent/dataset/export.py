"""Writes what a workspace holds as files: results in the benchmark's shapes, and every agent's intermediate outputs.

One image is in memory at a time, in every shape; the file or folder appears whole or not at all.
"""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final, Literal, TextIO

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.reading import PARTS
from anomagent.dataset.hugging_face import Card, write_hugging_face
from anomagent.dataset.places import checked_place, opened, whole_folder, whole_text
from anomagent.dataset.shapes import KEYS, OBJECTS, Shape, json_text, text_of
from anomagent.dataset.stages import Stage
from anomagent.errors import UsageError
from anomagent.state.findings import Status
from anomagent.store import Workspace
from anomagent.store.annotations import Cut, Key, NewestAnalyses, Part, Tally, reading_newest

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
    undecided: Literal["skip", "include"] = "skip"
    """Images with a candidate that is unreviewed or unsure: left out, or written with what is accepted so far."""
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
    """Images with a candidate that is unreviewed or unsure: left out, or written, as `Choices.undecided` says."""
    described: int = 0
    """Images left out because they are real ones with a description; or are not, where the shape is real-images."""
    superseded: int = 0
    """Images of which people reviewed an analysis that is not the newest: it counts all the same."""
    hidden: int = 0
    """Contents left out because another content has each of their names by now; with names as keys alone."""
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
    candidates were rejected have an empty list; those that people are not done with are left out, for an empty list
    would say that they are flawless. Real images with a description are in shapes real-images and hf alone.

    Raises `UsageError` where there is nothing to write or nothing is accepted because nobody answered yet, two images
    of one object share a base name, `statuses` has "failed" in a shape that cannot say so, there is no such split, or
    the place is taken (without `overwrite`) or cannot be written.
    """
    chosen = choices or Choices()
    is_stage = content not in (*OBJECTS, "jsonl", "hf")
    place = checked_place(workspace, out, chosen.overwrite, folder=content == "hf" or chosen.split is not None)
    if "failed" in chosen.statuses and not (is_stage or content == "jsonl"):
        raise UsageError(
            f"{out}: not written: shape {content} cannot say that an analysis failed; use jsonl or a stage"
        )
    accepted = chosen.anomalies == "accepted" and not is_stage and content != "real-images"
    with reading_newest(
        workspace, chosen.run_id, chosen.key, accepted=accepted, kept=True, names=chosen.names
    ) as newest:
        found = newest.tallies()
        parts = _parts(newest, chosen, out)
        described = None if is_stage or content == "hf" else content == "real-images"
        cut = newest.keep(chosen.statuses, described=described, split=chosen.split)
        if chosen.key == "base" and content in (*OBJECTS, "hf"):
            _check_names(newest, chosen.statuses)
        open_images = _leave_out_open(newest, chosen, out) if accepted else newest.count_open()
        if content == "hf":
            with whole_folder(place, out) as folder:
                write_hugging_face(workspace, newest, folder, parts, chosen.statuses, chosen.key, chosen.card, out)
        elif chosen.split is None:
            with whole_text(place, out) as stream:
                stream.writelines(text_of(newest, newest.listed(chosen.statuses), content, chosen.key, out))
        else:
            with whole_folder(place, out) as folder:
                _write_parts(newest, folder, content, parts, chosen, out)
        return replace(_exported(newest, found, cut, accepted, out), open_images=open_images)


def _write_parts(
    newest: NewestAnalyses,
    folder: Path,
    content: Shape | Stage,
    parts: "dict[str, Part]",
    chosen: Choices,
    out: Path,
) -> None:
    ending = "json" if content in OBJECTS else "jsonl"
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


def _parts(newest: NewestAnalyses, chosen: Choices, out: Path) -> "dict[str, Part]":
    """The parts to write by name. Raises `UsageError`."""
    if chosen.split is None:
        return {"train": None}
    parts = newest.parts(chosen.split)
    if unknown := [name for name in parts if name not in PARTS]:
        raise UsageError(
            f"{out}: not written: {shown(unknown[0])} is no part of a split; known: {', '.join(sorted(PARTS))}"
        )
    return {name: (chosen.split, name) for name in parts}


def _check_names(newest: NewestAnalyses, statuses: Collection[Status]) -> None:
    if shared := newest.sharing_a_base_name(statuses):
        one, other = shared
        both = f"{one!r} and {other!r} share" if one != other else f"two different images called {one!r} share"
        raise UsageError(
            f"{newest.source}: {both} the base name {base_name(one)!r}, by which images are matched; give --keys "
            "sha256, or --keys path for the newest image of each name, or export one --run"
        )


def _leave_out_open(newest: NewestAnalyses, chosen: Choices, out: Path) -> int:
    """Leave out the images that people are not done with, unless they are wanted, and return how many they are.

    Raises `UsageError` where nobody has begun, and where nothing would be left.
    """
    total = _sum(newest.tallies())
    if total.candidates and not total.accepted + total.rejected + total.unsure:
        raise UsageError(
            f"{newest.source}: nothing is accepted yet, nobody has reviewed a candidate of these images; review some, "
            "or export them all with --anomalies all"
        )
    if chosen.undecided == "include":
        return newest.count_open()
    left_out = newest.leave_out_open()
    if left_out and left_out == total.images:
        raise UsageError(
            f"{out}: not written: every image has a candidate that is undecided; review the rest, or write what is "
            "accepted so far with --open include"
        )
    return left_out


def _exported(newest: NewestAnalyses, found: Mapping[Status, Tally], cut: Cut, accepted: bool, out: Path) -> Exported:
    written = _sum(newest.tallies())
    return Exported(
        images=written.images,
        anomalies=written.accepted if accepted else written.candidates,
        failed=found.get("failed", Tally()).images,
        partial=found.get("partial", Tally()).images,
        running=newest.running,
        file=str(out),
        rejected=written.rejected,
        unsure=written.unsure,
        unreviewed=written.candidates - written.accepted - written.rejected - written.unsure,
        described=cut.described,
        superseded=newest.superseded,
        hidden=newest.hidden,
        dropped=newest.dropped,
        unassigned=cut.unassigned,
        unknown=newest.unknown,
    )


def _sum(tallies: Mapping[Status, Tally]) -> Tally:
    return Tally(*map(sum, zip(Tally(), *tallies.values(), strict=True)))
