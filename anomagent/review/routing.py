"""Who is asked about a candidate: how many people, whether one of them is an adjudicator, and what follows from it.

A candidate wants one standing answer, or `Rules.people` of them where it is chosen for overlap. Then:

Without adjudicators, as many who accept as reject (nobody, where all are unsure) want one more person, until more are
of one mind. With adjudicators, only those who all accept or all reject settle it, and only where no more are unsure
than sure; one person's UNSURE goes to a second annotator, everything else to an adjudicator, whose answer closes the
candidate. An adjudicator's UNSURE goes to another one who has not adjudicated it; where there is none, it is final.
Everything here is pure.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from anomagent.errors import UsageError
from anomagent.state.reviews import VERDICTS, Capacity, Verdict

_CONTENTS: Final = 1 << 64


@dataclass(frozen=True)
class Rules:
    """What a review asks for. Raises `UsageError` where it cannot be met."""

    overlap: float = 0.0
    """Share of the candidates, 0 to 1, about which `people` are asked; by content, so that any server chooses alike."""
    people: int = 2
    """How many answers a candidate of that share wants."""
    adjudicators: tuple[str, ...] = ()
    """Names of those who decide what annotators cannot; they are asked about nothing else."""

    def __post_init__(self) -> None:
        if not 0 <= self.overlap <= 1:
            raise UsageError(f"overlap {self.overlap}: is a share of the candidates; give a number from 0 to 1")
        if self.people < 1:
            raise UsageError(f"people {self.people}: nobody would be asked; give 1 or more")

    def described(self) -> dict[str, Any]:
        """The rules as plain data, equal where they ask for the same."""
        people = self.people if self.overlap else 1
        return {"overlap": self.overlap, "people": people, "adjudicators": sorted(set(self.adjudicators))}

    def capacity_of(self, annotator: str) -> Capacity:
        """In which capacity this person answers."""
        return "adjudicator" if annotator in self.adjudicators else "annotator"

    def people_for(self, content: int) -> int:
        """How many answers a candidate wants whose content has this hash, 0 to 2⁶⁴ - 1."""
        return self.people if content < self.overlap * _CONTENTS else 1


class Vote(NamedTuple):
    """A standing answer, as far as it counts."""

    verdict: Verdict
    capacity: Capacity


class Tally(NamedTuple):
    """The standing answers about one candidate, counted: annotators' by verdict, of adjudicators only the newest."""

    accepts: int = 0
    rejects: int = 0
    unsures: int = 0
    adjudicated: Verdict | None = None

    @property
    def verdict(self) -> Verdict | None:
        """What follows from them, as in the store's view `decisions`; None where there are none."""
        if self.adjudicated or not any(self):
            return self.adjudicated
        if self.accepts == self.rejects:
            return "UNSURE"
        return "ACCEPT" if self.accepts > self.rejects else "REJECT"

    @property
    def disputed(self) -> bool:
        """Whether annotators disagree and no adjudicator has decided."""
        return self.adjudicated is None and self.accepts > 0 and self.rejects > 0


class Want(NamedTuple):
    """How many more people are to answer, and in which capacity."""

    people: int
    capacity: Capacity


SETTLED: Final = Want(0, "annotator")
"""What a candidate wants about which nobody is to be asked any more."""


def tally(votes: Iterable[Vote]) -> Tally:
    """Count standing answers, the oldest first."""
    counts = dict.fromkeys(VERDICTS, 0)
    adjudicated: Verdict | None = None
    for verdict, capacity in votes:
        if capacity == "adjudicator":
            adjudicated = verdict
        else:
            counts[verdict] += 1
    return Tally(counts["ACCEPT"], counts["REJECT"], counts["UNSURE"], adjudicated)


def want(counted: Tally, people: int, adjudicates: bool, adjudicators_left: int) -> Want:
    """Who is still to answer about a candidate that wants `people` answers.

    `adjudicates`: adjudicators are named; `adjudicators_left`: how many of them have not adjudicated this one.
    """
    given = counted.accepts + counted.rejects + counted.unsures
    if counted.adjudicated:
        open_still = counted.adjudicated == "UNSURE" and adjudicators_left > 0
        return Want(1, "adjudicator") if open_still else SETTLED
    if given < people:
        return Want(people - given, "annotator")
    if _settles(counted, adjudicates):
        return SETTLED
    return Want(1, "adjudicator" if adjudicates and given > 1 else "annotator")


def _settles(counted: Tally, adjudicates: bool) -> bool:
    """Whether annotators alone decide it."""
    if not adjudicates:
        return counted.accepts != counted.rejects
    sure = counted.accepts + counted.rejects
    return sure > 0 and not counted.disputed and sure >= counted.unsures
