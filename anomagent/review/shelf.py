"""The candidates of a review in their order, and which of them a filter matches."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import accumulate

from anomagent.benchmark.kinds import KINDS, Kind
from anomagent.review.bits import bits_of, span
from anomagent.store.candidates import UNKNOWN_KIND, Candidate, CandidateTable


@dataclass(frozen=True)
class Filters:
    """Which candidates a person wants to see; by default all."""

    source: str | None = None
    severity_min: int = 0
    """0 = completely implausible, 100 = realistic; both ends are included."""
    severity_max: int = 100
    kind: Kind | None = None
    unsure: bool = False
    """Only candidates whose decision so far is UNSURE, or about which people disagree."""


class Shelf:
    """All candidates, by position. Immutable, but for kinds that are noted as they become known."""

    def __init__(self, table: CandidateTable) -> None:
        self._table = table
        self._places = {number: position for position, number in enumerate(table.ids)}
        self._starts = [image.start for image in table.images]
        self.size = len(table.ids)
        self.all = span(0, self.size)
        self.unclassified = 0
        """Candidates whose kind is not known yet."""
        self._at_most = list(accumulate(self._sets(table.severities, 101), int.__or__))
        *self._of_kind, self.unclassified = self._sets(table.kinds, UNKNOWN_KIND + 1)
        self._of_source = self._by_source()

    @property
    def sources(self) -> list[str]:
        """The sources that images with candidates come from."""
        return sorted(self._of_source)

    def position(self, anomaly: int) -> int | None:
        """Where the candidate of this id lies; None where it is not part of the review."""
        return self._places.get(anomaly)

    def id(self, position: int) -> int:
        """The id of the candidate at a position."""
        return self._table.ids[position]

    def content(self, position: int) -> int:
        """64 bits of a hash of the candidate's content; 0 where they were not read."""
        return self._table.contents[position] if self._table.contents else 0

    def kind(self, position: int) -> Kind | None:
        """The kind of the candidate at a position, as far as it is known."""
        place = self._table.kinds[position]
        return None if place == UNKNOWN_KIND else KINDS[place]

    def candidate(self, position: int, kind: Kind) -> Candidate:
        """The candidate at a position; its `kind` may be known to the caller alone."""
        table, image = self._table, self._table.images[self._image(position)]
        about = (image.sha256, image.name, image.width, image.height)
        return Candidate(
            table.ids[position], *about, table.positions[position], table.severities[position], kind, image.source
        )

    def neighbours(self, position: int) -> range:
        """The positions of all candidates of the same image."""
        image = self._table.images[self._image(position)]
        return range(image.start, image.stop)

    def matching(self, filters: Filters) -> int:
        """The set that fits `filters`, but for `unsure` and the kind."""
        bits = self.all if filters.source is None else self._of_source.get(filters.source, 0)
        if filters.severity_max < 100:
            bits &= self._up_to(filters.severity_max)
        if filters.severity_min > 0:
            bits &= ~self._up_to(filters.severity_min - 1)
        return bits

    def of_kind(self, kind: Kind) -> int:
        """The set of those that are known to be of this kind."""
        return self._of_kind[KINDS.index(kind)]

    def note_kinds(self, kinds: Mapping[int, Kind]) -> None:
        """Take in kinds, by the candidates' ids."""
        known: defaultdict[int, list[int]] = defaultdict(list)
        for number, kind in kinds.items():
            position, place = self._places[number], KINDS.index(kind)
            if self._table.kinds[position] == UNKNOWN_KIND:
                self._table.kinds[position] = place
                known[place].append(position)
        for place, positions in known.items():
            bits = bits_of(positions, self.size)
            self._of_kind[place] |= bits
            self.unclassified &= ~bits

    def _image(self, position: int) -> int:
        return bisect_right(self._starts, position) - 1

    def _up_to(self, severity: int) -> int:
        return self._at_most[min(severity, 100)] if severity >= 0 else 0

    def _sets(self, values: Iterable[int], count: int) -> list[int]:
        """For each value below `count`, the set of the positions that have it."""
        positions: list[list[int]] = [[] for _ in range(count)]
        for position, value in enumerate(values):
            positions[value].append(position)
        return [bits_of(each, self.size) for each in positions]

    def _by_source(self) -> dict[str, int]:
        positions: defaultdict[str, list[int]] = defaultdict(list)
        for image in self._table.images:
            if image.source is not None:
                positions[image.source].extend(range(image.start, image.stop))
        return {source: bits_of(each, self.size) for source, each in positions.items()}
