"""Writes candidates for review elsewhere: one at a time in memory, and the files appear whole or not at all."""

import csv
import json
import os
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TextIO

from anomagent.benchmark.files import whole_file
from anomagent.benchmark.kinds import Kind
from anomagent.errors import UsageError
from anomagent.review.exchange import argilla, csv_files, label_studio
from anomagent.state.reviews import Answer
from anomagent.store import Workspace
from anomagent.store.exchange import ExchangedCandidate, ReviewReading, classifying, reading_review

Format = Literal["label-studio", "argilla", "csv"]

PATHS: Final = "paths"
"""Images by where their copies lie."""
NO_IMAGES: Final = "none"


@dataclass
class ExportedReview:
    """What was written."""

    file: str
    config: str | None
    """Label Studio: the labeling configuration's file."""
    candidates: int = 0
    answers: int = 0


@dataclass(frozen=True)
class _Writing:
    """What a writer of one format needs."""

    reading: ReviewReading
    images: str
    with_answers: bool
    kind_of: Callable[[ExchangedCandidate], Kind]
    exported: ExportedReview

    def candidates(self, answered: bool) -> Iterator[tuple[ExchangedCandidate, str | None, str]]:
        """The candidates with their image's reference and kind, counted as they pass."""
        for candidate in self.reading.candidates(answered):
            self.exported.candidates += 1
            yield (
                candidate,
                _reference(candidate, self.images),
                self.kind_of(candidate),
            )

    def standing(self, candidate: ExchangedCandidate) -> list[tuple[int, Answer]]:
        """The standing answers that go along, each with its row, counted."""
        answers = self.reading.standing_rows(candidate.id) if self.with_answers else []
        self.exported.answers += len(answers)
        return answers


def export_review(
    workspace: Workspace,
    out: Path,
    form: Format,
    *,
    run_id: str | None = None,
    images: str = PATHS,
    with_answers: bool = False,
    overwrite: bool = False,
) -> ExportedReview:
    """Write the candidates of a run or of the whole workspace; CSV with every answer, the others as told.

    `images` is `PATHS`, `NO_IMAGES` or the address under which the workspace's folder `images` is served. With answers,
    candidates go along that have some though a newer analysis or a step of the data set replaced them.

    Raises `UsageError` where there is nothing to write or the file exists (without `overwrite`) or cannot be written.
    """
    if images not in (PATHS, NO_IMAGES) and "://" not in images and not images.startswith("/"):
        raise UsageError(f"--images {images}: is neither paths, none nor an address; write https://... or /...")
    config = out.with_name(f"{out.name.removesuffix('.json')}.xml") if form == "label-studio" else None
    for place in (out, config):
        if place:
            _check(workspace, place, overwrite)
    exported = ExportedReview(str(out), str(config) if config else None)
    with (
        reading_review(workspace, run_id) as reading,
        classifying(workspace, run_id) as kind_of,
        _stream(out) as stream,
    ):
        _WRITERS[form](_Writing(reading, images, with_answers, kind_of, exported), stream)
        if not exported.candidates:
            raise UsageError(f"{out}: not written: there is no candidate to review; nothing was found in any image")
    if config:
        with _stream(config) as stream:
            stream.write(label_studio.labeling_config(images != NO_IMAGES))
    return exported


def _write_tasks(writing: _Writing, stream: TextIO) -> None:
    between = "[\n"
    for candidate, image, kind in writing.candidates(writing.with_answers):
        boxes = writing.reading.boxes(candidate.sha256)
        task = label_studio.task(candidate, image, kind, boxes, writing.standing(candidate))
        stream.write(between + json.dumps(task, ensure_ascii=False))
        between = ",\n"
    stream.write("\n]\n")


def _write_records(writing: _Writing, stream: TextIO) -> None:
    for candidate, image, kind in writing.candidates(writing.with_answers):
        record = argilla.record(candidate, image, kind, writing.standing(candidate))
        stream.write(json.dumps(record, ensure_ascii=False) + "\n")


def _write_csv(writing: _Writing, stream: TextIO) -> None:
    table = csv.writer(stream, quoting=csv.QUOTE_ALL, lineterminator="\n")
    table.writerow(csv_files.COLUMNS)
    for candidate, image, kind in writing.candidates(answered=True):
        answers = writing.reading.answers(candidate.id)
        writing.exported.answers += len(answers)
        table.writerows(csv_files.rows(candidate, image, kind, answers))


_WRITERS: Final = {"label-studio": _write_tasks, "argilla": _write_records, "csv": _write_csv}


def _reference(candidate: ExchangedCandidate, images: str) -> str | None:
    if images == NO_IMAGES:
        return None
    if images == PATHS:
        return str(candidate.path)
    between = "" if images.endswith(("/", "=")) else "/"
    return f"{images}{between}{candidate.path.parent.name}/{candidate.path.name}"


def _check(workspace: Workspace, out: Path, overwrite: bool) -> None:
    """Raises `UsageError` before anything is read."""
    try:
        file = out.expanduser().resolve()
        exists, folder = file.exists(), file.parent.is_dir()
    except (OSError, RuntimeError, ValueError) as error:
        raise UsageError(f"{out}: cannot be written ({error}); choose another file") from error
    if file.is_relative_to(workspace.path.resolve()):
        raise UsageError(f"{out}: lies in the workspace itself; choose another file")
    if not folder:
        raise UsageError(f"{out}: its folder does not exist; make it, or choose another file")
    if exists and not (overwrite and file.is_file()):
        raise UsageError(f"{out}: exists; give --force to replace a file, or choose another one")


@contextmanager
def _stream(out: Path) -> Generator[TextIO]:
    try:
        with (
            whole_file(out.expanduser().resolve()) as unfinished,
            unfinished.open("w", encoding="utf-8", newline="\n") as stream,
        ):
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
    except OSError as error:
        raise UsageError(f"{out}: cannot be written ({error.strerror}); choose another file") from error
