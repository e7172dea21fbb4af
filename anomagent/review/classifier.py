"""Reads the kinds of candidates that were never classified, without keeping the people of a review waiting."""

import time
from contextlib import suppress
from threading import Condition, RLock, Thread
from typing import Final

from anomagent.benchmark.kinds import Kind
from anomagent.errors import AnomagentError, StoreError
from anomagent.review.bits import first_from
from anomagent.review.shelf import Shelf
from anomagent.store.candidates import kinds_of, save_kinds
from anomagent.store.workspace import Workspace

AT_ONCE: Final = 250
"""Candidates of one reading: a quarter of a second's work. So many are classified before the review begins."""
_BREATH: Final = 0.001
"""Seconds after each text, as long as it took itself, that belong to other threads: while rules search, they wait."""


class Classifier:
    """Fills in a shelf's kinds: a few at once, many in a thread of its own that ends with the process.

    Kinds are kept in the workspace, so that this happens once. Where they cannot be written, they are known until the
    process ends; where the texts cannot be read, the rest stays unknown.
    """

    def __init__(self, workspace: Workspace, shelf: Shelf, lock: RLock) -> None:
        self._workspace, self._shelf = workspace, shelf
        self._news = Condition(lock)
        self._working = self._stopped = False

    def start(self) -> None:
        """Begin with what is not classified."""
        if self._shelf.unclassified.bit_count() <= AT_ONCE:
            self._read_chunk(breath=0)
        else:
            self._working = True
            Thread(target=self._read_all, name="kinds", daemon=True).start()

    def stop(self) -> None:
        """Read no further: another shelf has taken this one's place."""
        self._stopped = True

    def wait(self, until: float) -> bool:
        """Wait for further kinds until a moment of `time.monotonic`; False where there are none to wait for.

        The caller holds the lock, which is free meanwhile.
        """
        return self._working and self._news.wait(max(0.0, until - time.monotonic()))

    def kind(self, position: int) -> Kind:
        """The kind of the candidate at a position, read now where it is not known yet."""
        known = self._shelf.kind(position)
        if known is not None:
            return known
        number = self._shelf.id(position)
        found = kinds_of(self._workspace, [number])
        with self._news:
            self._shelf.note_kinds(found)
        return found[number]

    def _read_all(self) -> None:
        try:
            # A kind that stays unknown is read where it is needed, and that says what is wrong with the workspace.
            with suppress(AnomagentError):
                while self._shelf.unclassified and not self._stopped:
                    self._read_chunk(_BREATH)
        finally:
            with self._news:
                self._working = False
                self._news.notify_all()

    def _read_chunk(self, breath: float) -> None:
        wanted: list[int] = []
        left = self._shelf.unclassified
        while len(wanted) < AT_ONCE and (position := first_from(left, 0)) is not None:
            wanted.append(self._shelf.id(position))
            left &= ~(1 << position)
        if not wanted:
            return
        kinds = kinds_of(self._workspace, wanted, lambda: time.sleep(breath))
        with self._news:
            self._shelf.note_kinds(kinds)
            self._news.notify_all()
        with suppress(StoreError):
            save_kinds(self._workspace, kinds)
