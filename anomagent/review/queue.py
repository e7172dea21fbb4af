"""Which candidate a person is asked about next, and what all have said so far: in memory, over the workspace's store.

Candidates of one image come together. Everybody goes through the images in the same order, from another place: a person
who is new starts in the middle of the widest stretch between the others. Images that one has begun come first, images
that somebody else is at come late, and what was skipped comes last. What was handed out is kept for that person for
some minutes, and is not handed to more people than it wants. Answers are appended to the store and then read back from
there, so that any number of servers on one workspace agree.
"""

import time
from collections import Counter
from collections.abc import Callable
from threading import RLock
from typing import Any, Final, Self

from anomagent.errors import UsageError
from anomagent.review.bits import bits_of, first_from, span
from anomagent.review.classifier import Classifier
from anomagent.review.routing import Rules
from anomagent.review.shelf import Filters, Shelf
from anomagent.review.votes import Person, Votes
from anomagent.state.reviews import VERDICTS, Answer, Capacity
from anomagent.store.candidates import Candidate, read_candidates
from anomagent.store.reviews import AnswerFeed, append_answers, read_standing
from anomagent.store.workspace import Workspace

__all__ = ["Filters", "Queue", "Rules"]

LEASE_SECONDS: Final = 600.0
"""How long a candidate that was handed out is kept for that person."""
_MOST_LEASES: Final = 4
"""Of one person: what is on the screen, in some tabs. Who skips through everything keeps nobody else from it."""

_PATIENCE: Final = 5.0
"""Seconds that a search by kind waits for kinds that are still being read."""


class Queue:
    """The review of a run, or of a whole workspace. Safe for threads; every method takes milliseconds."""

    def __init__(
        self, workspace: Workspace, shelf: Shelf, rules: Rules, clock: Callable[[], float], missing: int
    ) -> None:
        self.missing = missing
        """Images left out because their file is not in the workspace."""
        self._workspace, self._shelf, self._rules, self._clock = workspace, shelf, rules, clock
        self._votes, self._feed = Votes(shelf, rules), AnswerFeed(workspace)
        self._lock = RLock()
        self._classifier = Classifier(workspace, shelf, self._lock)

    @classmethod
    def load(
        cls, workspace: Workspace, run_id: str | None, rules: Rules, *, clock: Callable[[], float] = time.monotonic
    ) -> Self:
        """Read candidates and answers. Kinds of many candidates that were never read are read in the background.

        `clock` gives seconds that never go back. Raises `UsageError` where there is no such run or nothing was
        analysed.
        """
        table = read_candidates(workspace, run_id, contents=rules.overlap > 0)
        queue = cls(workspace, Shelf(table), rules, clock, table.missing)
        queue.refresh()
        queue._classifier.start()
        return queue

    @property
    def unclassified(self) -> int:
        """How many candidates there are whose kind is still to be read."""
        return self._shelf.unclassified.bit_count()

    def refresh(self) -> None:
        """Take in the answers that other processes have appended."""
        answers = self._feed.read(self._votes.seen)
        with self._lock:
            self._votes.take(answers)

    def next(self, annotator: str, filters: Filters, after: int | None = None) -> Candidate | None:
        """The candidate that this person is to look at, from now on kept for them; None where nothing is left.

        `after` is the one that was answered or skipped: it is not given again at once. Until the kinds of all
        candidates are known, a search by kind that finds nothing waits for some seconds.
        """
        with self._lock:
            until = time.monotonic() + _PATIENCE
            found = self._hand_out(annotator, filters, after)
            while found is None and filters.kind is not None and self._classifier.wait(until):
                found = self._hand_out(annotator, filters, after)
            return None if found is None else self._candidate(found)

    def upcoming(self, annotator: str, filters: Filters, skip: set[int], count: int = 3) -> list[Candidate]:
        """What would come next, without those in `skip`; nothing is kept for anybody."""
        with self._lock:
            person = self._votes.person(annotator)
            left = self._pool(annotator, filters) & ~self._bits(skip)
            found: list[int] = []
            while len(found) < count and (position := self._pick(person, left)) is not None:
                found.append(position)
                left &= ~(1 << position)
            return [self._candidate(position) for position in found]

    def get(self, id: int) -> Candidate | None:
        """A candidate by its id; None where it is not part of this review."""
        position = self._shelf.position(id)
        return None if position is None else self._candidate(position)

    def answer(self, answer: Answer) -> bool:
        """Append an answer; False where its id is known, so that it was there already.

        What was withdrawn is kept for that person again. Raises `UsageError` for a candidate that is not part of this
        review, `StoreError` where the answer could not be stored.
        """
        position = self._shelf.position(answer.anomaly)
        if position is None:
            raise UsageError(f"candidate {answer.anomaly} is not part of this review; load the page again")
        new = append_answers(self._workspace, [answer]) > 0
        self.refresh()
        if new and answer.verdict == "WITHDRAWN":
            with self._lock:
                self._lease(self._votes.person(answer.annotator), position)
        return new

    def standing(self, annotator: str, id: int) -> Answer | None:
        """What this person says of a candidate, as it is in the store; None where nothing, or it was withdrawn."""
        position, person = self._shelf.position(id), self._votes.people.get(annotator)
        if position is None or person is None or not person.answered >> position & 1:
            return None  # by far the most frequent case
        return read_standing(self._workspace, annotator, id)

    def progress(self, annotator: str) -> dict[str, Any]:
        """How far this person and all are.

        mine: standing answers by verdict, and how many candidates are left for this person. all: candidates; decided,
        about which nobody is to be asked any more, and open; accept, reject and unsure by what follows so far; people
        who have answered.
        """
        with self._lock:
            votes, person = self._votes, self._votes.people.get(annotator) or Person()
            left = votes.open_to(self.capacity(annotator)) & ~person.answered
            undecided = votes.open_to("annotator") | votes.open_to("adjudicator")
            mine = {verdict.lower(): person.said[verdict].bit_count() for verdict in VERDICTS}
            every = {verdict.lower(): votes.decided[verdict].bit_count() for verdict in VERDICTS}
            people = sum(each.answered > 0 for each in votes.people.values())
        size, still_open = self._shelf.size, undecided.bit_count()
        return {
            "mine": {"answered": sum(mine.values()), **mine, "left": left.bit_count()},
            "all": {"candidates": size, "decided": size - still_open, "open": still_open, **every, "people": people},
        }

    def sources(self) -> list[str]:
        """What can be filtered by."""
        return self._shelf.sources

    def capacity(self, annotator: str) -> Capacity:
        """In which capacity this person answers."""
        return self._rules.capacity_of(annotator)

    def _hand_out(self, annotator: str, filters: Filters, after: int | None) -> int | None:
        person = self._votes.person(annotator)
        pool = self._pool(annotator, filters)
        passed = self._bits(set() if after is None else {after})
        person.skipped |= passed & ~person.answered
        pool &= ~passed
        if pool and not pool & ~person.skipped:
            person.skipped = 0  # round again
        found = self._pick(person, pool)
        if found is not None:
            self._lease(person, found)
        return found

    def _pool(self, annotator: str, filters: Filters) -> int:
        """What this person may be asked about."""
        votes, shelf = self._votes, self._shelf
        bits = votes.open_to(self.capacity(annotator)) & shelf.matching(filters)
        if filters.kind is not None:
            bits &= shelf.of_kind(filters.kind)
        if filters.unsure:
            bits &= votes.decided["UNSURE"] | votes.disputed
        return bits & ~votes.person(annotator).answered & ~self._kept_for_others(annotator)

    def _pick(self, person: Person, pool: int) -> int | None:
        """The best of a pool: in an image that was begun, else in one where nobody else is, else any; skipped last."""
        place, fresh = person.place, pool & ~person.skipped
        if place is None:
            start, here = self._start(), 0
        else:
            image = self._shelf.neighbours(place)
            start, here = image.start, span(image.start, image.stop)
        best = fresh & here or fresh & person.begun or fresh & ~self._busy(person) or fresh or pool
        return first_from(best, start)

    def _start(self) -> int:
        """Where a new person begins: in the middle of the widest stretch without anybody, going round."""
        places = sorted(place for each in self._votes.people.values() if (place := each.place) is not None)
        if not places:
            return 0
        following = [*places[1:], places[0] + self._shelf.size]
        widest = max(zip(places, following, strict=True), key=lambda pair: pair[1] - pair[0])
        return sum(widest) // 2 % self._shelf.size

    def _busy(self, person: Person) -> int:
        """The images that other people are at."""
        bits = 0
        for each in self._votes.people.values():
            if each is not person:
                for position in self._live(each):
                    image = self._shelf.neighbours(position)
                    bits |= span(image.start, image.stop)
        return bits

    def _kept_for_others(self, annotator: str) -> int:
        """Candidates that are with as many other people already as they want."""
        capacity = self.capacity(annotator)
        kept = Counter(
            position
            for name, person in self._votes.people.items()
            if name != annotator and self.capacity(name) == capacity
            for position in self._live(person)
        )
        return bits_of(
            (each for each, count in kept.items() if count >= self._votes.wanted(each).people), self._shelf.size
        )

    def _live(self, person: Person) -> list[int]:
        now = self._clock()
        return [position for position, until in person.leases.items() if until > now]

    def _lease(self, person: Person, position: int) -> None:
        """Keep a candidate for this person, who is now there."""
        person.given = position
        person.leases.pop(position, None)
        person.leases[position] = self._clock() + LEASE_SECONDS
        for oldest in list(person.leases)[:-_MOST_LEASES]:
            del person.leases[oldest]

    def _bits(self, ids: set[int]) -> int:
        places = map(self._shelf.position, ids)
        return bits_of((place for place in places if place is not None), self._shelf.size)

    def _candidate(self, position: int) -> Candidate:
        return self._shelf.candidate(position, self._classifier.kind(position))
