"""What people said so far, in memory: of each candidate what stands and what it still wants, of each person where."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field

from anomagent.review.bits import bits_of
from anomagent.review.routing import Rules, Tally, Vote, Want, tally, want
from anomagent.review.shelf import Shelf
from anomagent.state.reviews import VERDICTS, Capacity, Verdict
from anomagent.store.reviews import Given


@dataclass
class Person:
    """One who answers. Sets of candidates, and where in their order the person is."""

    said: dict[Verdict, int] = field(default_factory=lambda: dict.fromkeys(VERDICTS, 0))
    """Candidates with a standing answer, by verdict."""
    adjudicated: int = 0
    """Candidates with a standing answer that was given as an adjudicator."""
    begun: int = 0
    """All candidates of images about which this person said something."""
    skipped: int = 0
    """Passed over, to come again when nothing else is left."""
    last: int | None = None
    """Where the newest answer was given."""
    given: int | None = None
    """The newest candidate that was handed out."""
    home: int | None = None
    """Where to go on after answering what others began elsewhere."""
    leases: dict[int, float] = field(default_factory=dict[int, float])
    """Candidates that were handed out and have no answer, each with the moment until which it is kept for them."""

    @property
    def answered(self) -> int:
        """Candidates with a standing answer."""
        return self.said["ACCEPT"] | self.said["REJECT"] | self.said["UNSURE"]

    @property
    def place(self) -> int | None:
        """Where this person is; None before the first candidate."""
        return self.last if self.given is None else self.given


class Votes:
    """The standing answers about the candidates of a shelf. Not safe for threads: the queue locks."""

    def __init__(self, shelf: Shelf, rules: Rules) -> None:
        self.people: dict[str, Person] = {}
        self.decided: dict[Verdict, int] = dict.fromkeys(VERDICTS, 0)
        """Candidates with standing answers, by what follows from these so far."""
        self.answered = 0
        """Candidates with a standing answer of anybody."""
        self.disputed = 0
        """Candidates about which annotators disagree."""
        self.seen = 0
        """The newest row that was taken in."""
        self._shelf, self._rules = shelf, rules
        self._standing: dict[int, dict[str, Vote]] = {}
        self._open: dict[Capacity, int] = {"annotator": shelf.all, "adjudicator": 0}

    def person(self, name: str) -> Person:
        """The person of this name, from now on one of `people`."""
        return self.people.setdefault(name, Person())

    def open_to(self, capacity: Capacity) -> int:
        """Candidates about which somebody of this capacity is still to be asked."""
        return self._open[capacity]

    def wanted(self, position: int) -> Want:
        """Who is still to answer about the candidate at a position."""
        people = self._rules.people_for(self._shelf.content(position)) if self._rules.overlap else 1
        named, standing = self._rules.adjudicators, self._standing.get(position, {})
        done = (name for name, vote in standing.items() if vote.capacity == "adjudicator")
        return want(self._tally(position), people, bool(named), len(set(named).difference(done)))

    def take(self, answers: Iterable[Given]) -> None:
        """Take in answers in the order of their rows; those that were seen before are passed over."""
        said: defaultdict[str, dict[int, Vote | None]] = defaultdict(dict)
        for answer in answers:
            if answer.row <= self.seen:
                continue
            self.seen = answer.row
            person, position = self.person(answer.annotator), self._shelf.position(answer.anomaly)
            if position is not None:
                vote = None if answer.verdict == "WITHDRAWN" else Vote(answer.verdict, answer.capacity)
                said[answer.annotator][position] = vote
                self._note(position, answer.annotator, vote)
                person.last = position
                person.leases.pop(position, None)
        for name, votes in said.items():
            self._note_person(self.person(name), votes)
        self._sort({position for votes in said.values() for position in votes})

    def _note(self, position: int, name: str, vote: Vote | None) -> None:
        standing = self._standing.setdefault(position, {})
        standing.pop(name, None)  # a later answer is the newest, also in the order of the dictionary
        if vote is not None:
            standing[name] = vote
        if not standing:
            del self._standing[position]

    def _note_person(self, person: Person, votes: dict[int, Vote | None]) -> None:
        size = self._shelf.size
        touched, standing = bits_of(votes, size), {place: vote for place, vote in votes.items() if vote}
        for verdict in VERDICTS:
            given = bits_of((place for place, vote in standing.items() if vote.verdict == verdict), size)
            person.said[verdict] = person.said[verdict] & ~touched | given
        adjudicated = bits_of((place for place, vote in standing.items() if vote.capacity == "adjudicator"), size)
        person.adjudicated = person.adjudicated & ~touched | adjudicated
        person.skipped &= ~touched
        images = {neighbours.start: neighbours for neighbours in map(self._shelf.neighbours, votes)}
        person.begun |= bits_of((position for image in images.values() for position in image), size)

    def _sort(self, positions: set[int]) -> None:
        """Put the candidates whose answers have changed where they belong now."""
        size, touched = self._shelf.size, bits_of(positions, self._shelf.size)
        decided: defaultdict[Verdict | None, list[int]] = defaultdict(list)
        wanting: defaultdict[Capacity | None, list[int]] = defaultdict(list)
        disputed: list[int] = []
        for position in positions:
            counted, wanted = self._tally(position), self.wanted(position)
            decided[counted.verdict].append(position)
            wanting[wanted.capacity if wanted.people else None].append(position)
            if counted.disputed:
                disputed.append(position)
        for verdict in VERDICTS:
            self.decided[verdict] = self.decided[verdict] & ~touched | bits_of(decided[verdict], size)
        for capacity, bits in self._open.items():
            self._open[capacity] = bits & ~touched | bits_of(wanting[capacity], size)
        self.answered = self.answered & ~touched | bits_of((each for each in positions if each in self._standing), size)
        self.disputed = self.disputed & ~touched | bits_of(disputed, size)

    def _tally(self, position: int) -> Tally:
        return tally(self._standing.get(position, {}).values())
