"""Training data from what people accepted: instances by part, with a report of what they are and what was left out.

The same input gives the same bytes, whatever order it is listed in. One image's texts are in memory at a time.
"""

import json
import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, Final

from anomagent.errors import UsageError
from anomagent.finetune.conversations import Talk
from anomagent.finetune.exports import Facts, write_exports, write_preferences
from anomagent.finetune.from_files import from_files
from anomagent.finetune.from_workspace import from_workspace
from anomagent.finetune.instances import Instance, instance_of, write_instances
from anomagent.finetune.leaks import without_leaks
from anomagent.finetune.left_out import LeftOut
from anomagent.finetune.order import Order
from anomagent.finetune.places import MARK, new_folder
from anomagent.finetune.preferences import Preference, preferences_about
from anomagent.finetune.report import Tally, report_of
from anomagent.finetune.samples import samples_text
from anomagent.finetune.selection import PARTS, Part, Selection
from anomagent.finetune.sources import Gathered, Subject, look_at
from anomagent.finetune.tokens import TokenCounter

Progress = Callable[[str, int, int], None]
"""Told what is done, how many are done, and of how many."""

_THINNEST_PROBE: Final = 100
"""Longer side to shorter one of images that are made to prove the pixel bounds; models refuse thinner ones."""


def make_data(out: Path, order: Order, counter: TokenCounter, replace: bool, progress: Progress) -> dict[str, Any]:
    """Write the folder `out` and return its report, which is also its data.json; the folder appears whole or not.

    Raises `UsageError` for wrong input, and where the place is taken or cannot be written.
    """
    place = out.expanduser().resolve()
    with new_folder(out, replace) as folder, _gathered(order) as gathered:
        subjects = _subjects(order, gathered, progress)
        talk = Talk(order.choices, counter, gathered.left_out)
        counter.prove(_probes(subjects))
        tallies = _write_parts(folder, place, talk, subjects, progress)
        _refuse(order, gathered.left_out)
        parts: list[Part] = [part for part in PARTS if part in tallies]
        if not parts:
            raise UsageError(f"{out}: not written: nothing to learn from is left; {gathered.left_out.line()}")
        facts = Facts(counter.identity, order.min_pixels, order.max_pixels, order.choices.max_tokens, counter.layers)
        write_exports(folder, place, parts, order.formats, facts)
        pairs = _write_pairs(folder, place, order, talk, subjects, facts) if order.preferences else None
        (folder / "samples.md").write_text(
            samples_text([tallies[part].samples for part in parts], counter), encoding="utf-8", newline="\n"
        )
        report = report_of(folder, order, counter, gathered, subjects, tallies, pairs)
        (folder / MARK).write_text(
            json.dumps(report, ensure_ascii=False, indent=2) + "\n", encoding="utf-8", newline="\n"
        )
        return report


@contextmanager
def _gathered(order: Order) -> Generator[Gathered]:
    """The images of all sources. What is told of them can be read while this is open."""
    file = Path(order.split) if order.split and Path(order.split).is_file() else None
    named = order.split if order.split and not file else None
    if named and not order.workspace:
        raise UsageError(f"--split {named}: no such file; give a split file, or a workspace that has this split")
    if named and (order.real or order.annotations):
        raise UsageError(f"--split {named}: is a split of the workspace alone; give a split file that names all images")
    selection, gathered = Selection.read(file, order.allow), Gathered()
    if order.workspace:
        with from_workspace(order.workspace, order.run_id, named, selection, gathered):
            _add_files(order, selection, gathered)
            yield gathered
    else:
        _add_files(order, selection, gathered)
        yield gathered


def _add_files(order: Order, selection: Selection, gathered: Gathered) -> None:
    for pair, is_real in ((order.annotations, False), (order.real, True)):
        if pair:
            from_files(pair, is_real, selection, gathered)
    for name in gathered.unknown(selection):
        gathered.left_out.add("missing", name, "the split names it, and nothing is said of it")


def _subjects(order: Order, gathered: Gathered, progress: Progress) -> list[Subject]:
    """The images to learn from, by content. Raises `UsageError` for those that are missing, and for leaks."""
    subjects = look_at(gathered.drafts, gathered.left_out, partial(progress, "images"))
    if order.missing == "error":
        way_out = "get them, or go on without them with --missing skip"
        gathered.left_out.refuse("missing", "images that are not there", way_out)
        gathered.left_out.refuse("unreadable", "images that cannot be read", way_out)
    return without_leaks(subjects, gathered.fingerprints, gathered.left_out, order.leakage == "drop")


def _write_parts(
    folder: Path, place: Path, talk: Talk, subjects: Sequence[Subject], progress: Progress
) -> dict[Part, Tally]:
    """Write a file for each part that has instances."""
    tallies: dict[Part, Tally] = {}
    done = 0

    def instances(part: Part, tally: Tally) -> Iterator[Instance]:
        nonlocal done
        for subject in subjects:
            if subject.part == part:
                yield from _instances(subject, talk, place, tally)
                done += 1
                progress("instances", done, len(subjects))

    for part in PARTS:
        tally = Tally.of(part)
        file = folder / f"{part}.jsonl"
        if write_instances(file, instances(part, tally)):
            tallies[part] = tally
        else:
            file.unlink()
    return tallies


def _instances(subject: Subject, talk: Talk, place: Path, tally: Tally) -> Iterator[Instance]:
    conversations = talk.about(subject)
    image = relative_path(subject.path, place)
    for number, one in enumerate(conversations, start=1):
        id = f"{subject.sha256[:12]}/{subject.name}/{number}"
        instance = instance_of(id, image, subject.sha256, one.turns)
        tally.see(instance, one)
        yield instance
    tally.images += bool(conversations)
    tally.split += len(conversations) > 1


def _refuse(order: Order, left_out: LeftOut) -> None:
    """Raises `UsageError` for losses that nobody has agreed to."""
    if order.missing == "error":
        left_out.refuse("unreadable", "images that the model cannot take", "go on without them with --missing skip")
    if order.bad_entries == "error":
        left_out.refuse(
            "bad entry", "entries that cannot be learned", "correct them, or leave them out with --bad-entries skip"
        )
    if order.too_long == "error":
        left_out.refuse(
            "too long",
            f"texts that do not fit into {order.choices.max_tokens:,} tokens with their image",
            "raise --max-tokens, lower --max-pixels, or leave them out with --too-long skip",
        )


def _write_pairs(
    folder: Path, place: Path, order: Order, talk: Talk, subjects: Sequence[Subject], facts: Facts
) -> dict[str, Any]:
    left_out = LeftOut()

    def pairs(part: Part) -> Iterator[tuple[str, Preference]]:
        for subject in subjects:
            if subject.part == part:
                for pair in preferences_about(talk, subject, left_out):
                    yield relative_path(subject.path, place), pair

    counts = write_preferences(folder, place, {part: pairs(part) for part in PARTS}, facts)
    return {"pairs": {part: count for part, count in counts.items() if count}, "left_out": left_out.summary()}


def _probes(subjects: Sequence[Subject]) -> list[tuple[int, int]]:
    """The smallest, the thinnest and the largest size among the images."""
    sizes = {(subject.width, subject.height) for subject in subjects}
    some = [size for size in sizes if max(size) < _THINNEST_PROBE * min(size)]
    if not some:
        return []
    by_area = sorted(some, key=lambda size: (size[0] * size[1], size))
    return sorted({by_area[0], by_area[-1], max(some, key=lambda size: (max(size) / min(size), size))})


def relative_path(image: Path, place: Path) -> str:
    """The path of an image as it counts from the folder of instances; on another drive the whole path."""
    try:
        return Path(os.path.relpath(image, place)).as_posix()
    except ValueError:
        return image.as_posix()
