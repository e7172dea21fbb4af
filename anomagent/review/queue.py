"""What a review holds in memory: its candidates, what all have said so far, and who is asked what next.

Answers are appended to the store and then read back from there, so that what other processes append counts as well.
Where images are analysed or dropped meanwhile, the candidates are read again in the background.
"""

import logging
import time
from collections.abc import Callable
from threading import RLock, Thread
from typing import Any, Final, Self

from anomagent.errors import AnomagentError
from anomagent.review.classifier import Classifier
from anomagent.review.names import spelled_before
from anomagent.review.picking import Picker
from anomagent.review.routing import Rules
from anomagent.review.shelf import Filters, Shelf
from anomagent.review.votes import Person, Votes
from anomagent.state.reviews import VERDICTS, Answer, Capacity
from anomagent.store.candidates import Candidate, CandidateTable, find_candidate, read_candidates
from anomagent.store.reviews import AnswerFeed, Outcome, give_answer, read_standing, withdraw_answer
from anomagent.store.workspace import Workspace

__all__ = ["Filters", "Queue", "Rules"]

RELOAD_SECONDS: Final = 30.0
"""So long after candidates were read they are not read again: it takes seconds, and analyses come one by one."""
_PATIENCE: Final = 5.0
"""Seconds that a search by kind waits for kinds that are still being read."""

_log = logging.getLogger(__name__)


class Queue:
    """The review of a run, or of a whole workspace. Safe for threads; every method takes milliseconds."""

    def __init__(
        self, workspace: Workspace, run_id: str | None, rules: Rules, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Read candidates and answers. Kinds of many candidates that were never read are read in the background.

        `clock` gives seconds that never go back. Raises `UsageError` where there is no such run or nothing was
        analysed.
        """
        self._workspace, self._run, self._rules, self._clock = workspace, run_id, rules, clock
        self._lock, self._feed = RLock(), AnswerFeed(workspace)
        self._reload: Thread | None = None
        self._not_before = 0.0
        self._mark = self._feed.mark()
        table = self._read()
        self.missing = table.missing
        """Images left out because their file is not in the workspace."""
        self._picker, self._classifier = self._open(table)
        self._classifier.start()

    @classmethod
    def load(
        cls, workspace: Workspace, run_id: str | None, rules: Rules, *, clock: Callable[[], float] = time.monotonic
    ) -> Self:
        """As the constructor."""
        return cls(workspace, run_id, rules, clock)

    @property
    def unclassified(self) -> int:
        """How many candidates there are whose kind is still to be read."""
        return self._shelf.unclassified.bit_count()

    @property
    def size(self) -> int:
        """How many candidates there are."""
        return self._shelf.size

    @property
    def open(self) -> int:
        """About how many candidates somebody is still to be asked."""
        with self._lock:
            return (self._votes.open_to("annotator") | self._votes.open_to("adjudicator")).bit_count()

    def refresh(self) -> None:
        """Take in the answers that others have appended, and see whether candidates are others now."""
        mark = self._feed.mark()
        with self._lock:
            answers = self._feed.read(self._votes.seen)
            self._votes.take(answers)
            if mark != self._mark and self._reload is None and self._clock() >= self._not_before:
                self._reload = Thread(target=self._read_again, name="candidates", daemon=True)
                self._reload.start()

    def settle(self) -> None:
        """Wait until candidates that are being read again are there."""
        with self._lock:
            reload = self._reload
        if reload is not None:
            reload.join()

    def next(self, annotator: str, filters: Filters, after: int | None = None) -> Candidate | None:
        """The candidate that this person is to look at, from now on kept for them; None where nothing is left.

        `after` is the one that was answered or skipped: it is not given again at once. Until the kinds of all
        candidates are known, a search by kind that finds nothing waits for some seconds.
        """
        with self._lock:
            until = time.monotonic() + _PATIENCE
            found = self._picker.hand_out(annotator, filters, after)
            while found is None and filters.kind is not None and self._classifier.wait(until):
                found = self._picker.hand_out(annotator, filters, after)
            return None if found is None else self._candidate(found)

    def upcoming(self, annotator: str, filters: Filters, skip: set[int], count: int = 3) -> list[Candidate]:
        """What comes next, without those in `skip`, kept for this person as what they look at is."""
        with self._lock:
            return [self._candidate(position) for position in self._picker.upcoming(annotator, filters, skip, count)]

    def get(self, id: int) -> Candidate | None:
        """A candidate by its id, also one that a later analysis has replaced; None where there is no such one."""
        with self._lock:
            position = self._shelf.position(id)
            if position is not None:
                return self._candidate(position)
        return find_candidate(self._workspace, id)

    def answer(self, answer: Answer, aged: bool = False) -> Outcome:
        """Append an answer, also about a candidate that is no part of the review any more; see `give_answer`."""
        outcome = give_answer(self._workspace, answer, aged)
        self.refresh()
        return outcome

    def withdraw(self, undo: Answer, withdrawn: str | None = None, aged: bool = False) -> Outcome:
        """Append an undo; what was withdrawn is kept for that person again. See `withdraw_answer`."""
        outcome = withdraw_answer(self._workspace, undo, withdrawn, aged)
        self.refresh()
        with self._lock:
            person, position = self._votes.person(undo.annotator), self._shelf.position(undo.anomaly)
            if outcome.stored and position is not None and not person.answered >> position & 1:
                self._picker.keep(person, position)
        return outcome

    def standing(self, annotator: str, id: int) -> Answer | None:
        """What this person says of a candidate, as it is in the store; None where nothing, or it was withdrawn."""
        with self._lock:
            position, person = self._shelf.position(id), self._votes.people.get(annotator)
            if position is not None and not (person and person.answered >> position & 1):
                return None  # by far the most frequent case
        return read_standing(self._workspace, annotator, id)

    def progress(self, annotator: str) -> dict[str, Any]:
        """How far this person and all are.

        mine: standing answers by verdict, and how many candidates are left for this person. all: candidates; answered,
        those with a standing answer of anybody; people who have answered. What the others say is not in it.
        """
        with self._lock:
            votes, person = self._votes, self._votes.people.get(annotator) or Person()
            mine = {verdict.lower(): person.said[verdict].bit_count() for verdict in VERDICTS}
            left, answered = self._picker.left(annotator).bit_count(), votes.answered.bit_count()
            people = sum(each.answered > 0 for each in votes.people.values())
        return {
            "mine": {"answered": sum(mine.values()), **mine, "left": left},
            "all": {"candidates": self.size, "answered": answered, "people": people},
        }

    def sources(self) -> list[str]:
        """What can be filtered by."""
        return self._shelf.sources

    def capacity(self, annotator: str) -> Capacity:
        """In which capacity this person answers."""
        return self._rules.capacity_of(annotator)

    def known_as(self, name: str) -> str | None:
        """How an adjudicator or somebody who was here before spells this name; None where it is that, or a new one."""
        with self._lock:
            return spelled_before(name, [*self._rules.adjudicators, *self._votes.people])

    @property
    def _shelf(self) -> Shelf:
        return self._picker.shelf

    @property
    def _votes(self) -> Votes:
        return self._picker.votes

    def _read(self) -> CandidateTable:
        return read_candidates(self._workspace, self._run, contents=self._rules.overlap > 0)

    def _open(self, table: CandidateTable) -> tuple[Picker, Classifier]:
        """Candidates with all answers about them."""
        shelf = Shelf(table)
        votes = Votes(shelf, self._rules)
        votes.take(self._feed.read())
        return Picker(shelf, votes, self._rules, self._clock), Classifier(self._workspace, shelf, self._lock)

    def _read_again(self) -> None:
        """Replace the candidates by those of now; where they cannot be read, the old ones stay."""
        try:
            mark = self._feed.mark()
            picker, classifier = self._open(self._read())
            with self._lock:
                picker.take_over(self._picker)
                self._classifier.stop()
                self._picker, self._classifier, self._mark = picker, classifier, mark
            classifier.start()
        except AnomagentError as error:
            _log.warning("candidates could not be read again: %s", error)
        finally:
            with self._lock:
                self._reload, self._not_before = None, self._clock() + RELOAD_SECONDS

    def _candidate(self, position: int) -> Candidate:
        return self._shelf.candidate(position, self._classifier.kind(position))
