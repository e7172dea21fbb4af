"""Which candidate is handed to whom.

Candidates of one image come together. Everybody goes through the images in the same order, from another place: a person
who is new starts in the middle of the widest stretch between the others. With each new image, what others have answered
and what wants one more answer comes first, so that a review that ends early has its overlap; then images that one has
begun. Images that somebody else is at come late, and what was skipped comes last. What was handed out is kept for that
person for some minutes, and is not handed to more people than it wants.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from typing import Final

from anomagent.review.bits import bits_of, first_from, span
from anomagent.review.routing import Rules
from anomagent.review.shelf import Filters, Shelf
from anomagent.review.votes import Person, Votes

LEASE_SECONDS: Final = 600.0
"""How long a candidate that was handed out is kept for that person."""
_MOST_LEASES: Final = 4
"""Of one person: what is on the screen and what is loaded ahead. Who skips through everything keeps nobody from it."""


class Picker:
    """Hands out the candidates of a shelf. Not safe for threads: the queue locks."""

    def __init__(self, shelf: Shelf, votes: Votes, rules: Rules, clock: Callable[[], float]) -> None:
        self.shelf, self.votes = shelf, votes
        self._rules, self._clock = rules, clock

    def left(self, annotator: str) -> int:
        """What this person is still to be asked about, filters and leases apart."""
        capacity, person = self._rules.capacity_of(annotator), self.votes.people.get(annotator) or Person()
        # Who answered as one of many may be named to decide: that is another answer.
        done = person.adjudicated if capacity == "adjudicator" else person.answered
        return self.votes.open_to(capacity) & ~done

    def hand_out(self, annotator: str, filters: Filters, after: int | None) -> int | None:
        """Choose a candidate and keep it for this person; `after`, as of an id, is passed over."""
        person = self.votes.person(annotator)
        pool = self._pool(annotator, filters)
        passed = self._bits(set() if after is None else {after})
        person.skipped |= passed & ~person.answered
        pool &= ~passed
        if pool and not pool & ~person.skipped:
            person.skipped = 0  # round again
        picked = self._pick(person, pool, person.place, self._home(person))
        if picked is None:
            return None
        position, person.home = picked
        self.keep(person, position)
        return position

    def upcoming(self, annotator: str, filters: Filters, skip: set[int], count: int) -> list[int]:
        """What comes next, if these are answered one after the other: the page loads it ahead, so it is kept too."""
        person = self.votes.person(annotator)
        left, place, home = self._pool(annotator, filters) & ~self._bits(skip), person.place, self._home(person)
        found: list[int] = []
        while len(found) < count and (picked := self._pick(person, left, place, home)) is not None:
            place, home = picked
            found.append(place)
            left &= ~(1 << place)
        self._lease(person, found)
        return found

    def keep(self, person: Person, position: int) -> None:
        """Keep a candidate for this person, who is now there."""
        person.given = position
        self._lease(person, [position])

    def _lease(self, person: Person, positions: Iterable[int]) -> None:
        for position in positions:
            person.leases.pop(position, None)
            person.leases[position] = self._clock() + LEASE_SECONDS
        for oldest in list(person.leases)[:-_MOST_LEASES]:
            del person.leases[oldest]

    def take_over(self, other: "Picker") -> None:
        """Go on where people were on another shelf."""
        for name, before in other.votes.people.items():
            person = self.votes.person(name)
            kept = {self._moved(other, place): until for place, until in before.leases.items()}
            person.leases = {place: until for place, until in kept.items() if place is not None}
            person.given, person.home = self._moved(other, before.given), self._moved(other, before.home)
            skipped = (other.shelf.id(place) for place in _positions(before.skipped))
            person.skipped = self._bits(skipped) & ~person.answered

    def _moved(self, other: "Picker", position: int | None) -> int | None:
        return None if position is None else self.shelf.position(other.shelf.id(position))

    def _pool(self, annotator: str, filters: Filters) -> int:
        """What this person may be asked about."""
        bits = self.left(annotator) & self.shelf.matching(filters)
        if filters.kind is not None:
            bits &= self.shelf.of_kind(filters.kind)
        if filters.unsure:
            bits &= self.votes.decided["UNSURE"] | self.votes.disputed
        return bits & ~self._kept_for_others(annotator)

    def _pick(self, person: Person, pool: int, place: int | None, home: int) -> tuple[int, int] | None:
        """The best of a pool for somebody who is at `place` and goes on at `home`, and where they go on after it."""
        if not pool:
            return None
        fresh, start = pool & ~person.skipped, self._first(home)
        if place is not None and (here := first_from(fresh & self._image(place), self._first(place))) is not None:
            return here, home
        free = fresh & ~self._busy(person)
        if (awaited := first_from(free & self.votes.answered, start)) is not None:
            return awaited, home
        found = first_from(fresh & person.begun or free or fresh or pool, start)
        return None if found is None else (found, found)

    def _home(self, person: Person) -> int:
        """Where this person goes on in the order of the images."""
        home = person.last if person.home is None else person.home
        return self._start() if home is None else home

    def _first(self, position: int) -> int:
        return self.shelf.neighbours(position).start

    def _image(self, position: int) -> int:
        """All candidates of the image of one."""
        image = self.shelf.neighbours(position)
        return span(image.start, image.stop)

    def _start(self) -> int:
        """Where a new person begins: in the middle of the widest stretch without anybody, going round."""
        homes = (each.place if each.home is None else each.home for each in self.votes.people.values())
        places = sorted(place for place in homes if place is not None)
        if not places:
            return 0
        following = [*places[1:], places[0] + self.shelf.size]
        widest = max(zip(places, following, strict=True), key=lambda pair: pair[1] - pair[0])
        return sum(widest) // 2 % self.shelf.size

    def _busy(self, person: Person) -> int:
        """The images that other people are at."""
        bits = 0
        for each in self.votes.people.values():
            if each is not person:
                for position in self._live(each):
                    bits |= self._image(position)
        return bits

    def _kept_for_others(self, annotator: str) -> int:
        """Candidates that are with as many other people already as they want."""
        capacity = self._rules.capacity_of(annotator)
        kept = Counter(
            position
            for name, person in self.votes.people.items()
            if name != annotator and self._rules.capacity_of(name) == capacity
            for position in self._live(person)
        )
        full = (each for each, count in kept.items() if count >= self.votes.wanted(each).people)
        return bits_of(full, self.shelf.size)

    def _live(self, person: Person) -> list[int]:
        now = self._clock()
        return [position for position, until in person.leases.items() if until > now]

    def _bits(self, ids: Iterable[int]) -> int:
        places = map(self.shelf.position, ids)
        return bits_of((place for place in places if place is not None), self.shelf.size)


def _positions(bits: int) -> Iterable[int]:
    while (place := first_from(bits, 0)) is not None:
        yield place
        bits &= ~(1 << place)
