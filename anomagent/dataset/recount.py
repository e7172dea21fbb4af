"""People against agents on the same images: how much each found, and how much of it both did."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from rapidfuzz import fuzz

from anomagent.state.findings import Anomaly

Lists = tuple[Sequence[Anomaly], Sequence[Anomaly]]
"""What the agents and what people found in one image."""
Matrix = Sequence[Sequence[float]]
"""Similarities of 0 to 1, [agents' anomalies, people's]."""
Compare = Callable[[Sequence[Lists]], Iterable[Matrix]]

WORDS_THRESHOLD: Final = 0.55
"""From here on two anomalies count as the same by their words. On the ten images of the public sample about half of the
pairs that the published evaluator scores 0.8 or more reach it, and 3 % of the pairs that it did not match."""
BACKBONE_THRESHOLD: Final = 0.8
"""The middle one of the benchmark's thresholds."""


@dataclass(frozen=True)
class Recount:
    """Counts over the images that both looked at."""

    images: int
    human: int
    """Anomalies that people found."""
    agent: int
    """Anomalies that the agents found."""
    matched: int
    """Pairs of an anomaly of each, one to one, of at least the threshold."""

    @property
    def human_share(self) -> float | None:
        """Of what people found: how much the agents found as well."""
        return self.matched / self.human if self.human else None

    @property
    def agent_share(self) -> float | None:
        """Of what the agents found: how much people found as well."""
        return self.matched / self.agent if self.agent else None


def recount(
    agents: Mapping[str, Sequence[Anomaly]],
    people: Mapping[str, Sequence[Anomaly]],
    compare: Compare,
    threshold: float,
) -> Recount:
    """Match what both found in each image that both have, by base name, the most similar free pair first."""
    images: list[Lists] = [(agents[name], people[name]) for name in people if name in agents]
    matched = sum(_matched(matrix, threshold) for matrix in compare(images))
    found, seen = (sum(len(lists[side]) for lists in images) for side in (0, 1))
    return Recount(len(images), seen, found, matched)


def compare_words(images: Sequence[Lists]) -> Iterable[Matrix]:
    """How alike the words are, in whatever order: the mean of phenomenon and reasoning. Rough, but needs no model."""
    for agents, people in images:
        yield [[_likeness(one, other) for other in people] for one in agents]


def _likeness(one: Anomaly, other: Anomaly) -> float:
    pairs = ((one.phenomenon, other.phenomenon), (one.reasoning, other.reasoning))
    return sum(fuzz.token_set_ratio(a.casefold(), b.casefold()) for a, b in pairs) / 200


def _matched(matrix: Matrix, threshold: float) -> int:
    ranked = sorted((-value, row, column) for row, values in enumerate(matrix) for column, value in enumerate(values))
    rows: set[int] = set()
    columns: set[int] = set()
    for value, row, column in ranked:
        if -value < threshold:
            break
        if row not in rows and column not in columns:
            rows.add(row)
            columns.add(column)
    return len(rows)
