"""A scorer that loads its model when it is needed, and what a long work says of how far it is and what failed."""

import sys
from collections.abc import Callable, Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from anomagent.cli.console import note

if TYPE_CHECKING:
    from anomagent.evaluation.pairs import Pair, Similarity
    from anomagent.evaluation.similarity import Backbone, Scorer


@contextmanager
def progress_bar(task: str) -> "Generator[Callable[[int, int], None]]":
    """A callback (done, total) that moves a bar on a terminal, and says a line at each tenth elsewhere."""
    if not sys.stderr.isatty():
        yield _lines(task)
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        shown = bar.add_task(task, total=None)
        yield lambda done, total: bar.update(shown, completed=done, total=total)


@contextmanager
def counted_progress(task: str, total: int) -> "Generator[Callable[[object], None]]":
    """A callback for each of `total` things that is done, whatever it is, which moves a `progress_bar`."""
    done = 0
    with progress_bar(task) as show:

        def one_more(_: object) -> None:
            nonlocal done
            done += 1
            show(done, total)

        yield one_more


_MOST_NAMED = 5


def note_some(what: str, lines: "Sequence[str]") -> None:
    """Say the first of many lines on stderr, and how many more there are."""
    for line in lines[:_MOST_NAMED]:
        note(f"{what}: {line}")
    if len(lines) > _MOST_NAMED:
        note(f"{what}: {len(lines) - _MOST_NAMED} more")


def _lines(task: str) -> Callable[[int, int], None]:
    said = 0

    def say(done: int, total: int) -> None:
        nonlocal said
        tenth = done * 10 // max(1, total)
        if tenth > said and total >= _WORTH_LINES:
            said = tenth
            note(f"{task}: {done:,} of {total:,}")

    return say


_WORTH_LINES = 100
"""Fewer images are done before anybody wonders."""


class Comparing:
    """Compares images with one backbone, loaded when the first images come: wrong input is found before that."""

    def __init__(self, backbone: "Backbone", cache: Path | None, use_cache: bool, threads: int | None) -> None:
        self._backbone = backbone
        self._cache = cache
        self._use_cache = use_cache
        self._threads = threads
        self._scorer: Scorer | None = None

    def __call__(self, pairs: "Sequence[Pair]") -> "list[Similarity]":
        """The similarity of every image, in order, with a progress bar."""
        scorer = self._load(pairs)
        with progress_bar("comparing") as show:
            return list(scorer.similarities(pairs, lambda done: show(done, len(pairs))))

    @property
    def truncated(self) -> int:
        """Texts so far that the backbone cut off at its limit."""
        return self._scorer.truncated if self._scorer else 0

    def precision_effect(self, pairs: "Sequence[Pair]") -> "dict[str, Any]":
        """How far bf16 moves F1 on these images."""
        from dataclasses import asdict

        from anomagent.evaluation.similarity import measure_precision

        return asdict(measure_precision(self._backbone, pairs, threads=self._threads))

    def _load(self, pairs: "Sequence[Pair]") -> "Scorer":
        if self._scorer is None:
            from anomagent.evaluation.similarity import EmbeddingCache, Scorer

            cache = EmbeddingCache(self._cache, note) if self._use_cache else None
            self._scorer = Scorer(self._backbone, cache=cache, threads=self._threads, note=note)
            size = self._scorer.cache_bytes(pairs) if cache else 0
            if cache and size > _WORTH_BYTES:
                note(f"embeddings of the ground truth take up to {size / 1e9:.1f} GB in {cache.directory} (--no-cache)")
        return self._scorer


_WORTH_BYTES = 100_000_000
"""Smaller caches are not worth a word."""
