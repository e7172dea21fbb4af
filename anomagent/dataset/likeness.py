"""What makes two pictures near-duplicates: fingerprints that differ in few bits, or embeddings that point one way."""

from collections.abc import Mapping, Sequence
from typing import Final, NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from anomagent.dataset.fingerprints import FLAT, as_numbers
from anomagent.dataset.neighbours import Numbers, Positions, distances_within, nearest

_BLOCK: Final = 256
"""Queries that are compared at a time where all are compared with all."""


class Closest(NamedTuple):
    """Of each query, [n]: the closest item, -1 where none is near, and its distance."""

    items: Positions
    distances: NDArray[np.float64]


class Likeness(Protocol):
    """A way to compare pictures, known by their positions in one list."""

    @property
    def method(self) -> str:
        """What it is called where its findings are stored."""
        ...

    def within(self, some: Positions) -> NDArray[np.bool_]:
        """Which of some pictures are near-duplicates of which, [n, n]; a picture of itself or not."""
        ...

    def closest(self, queries: Positions, items: Positions, before: Positions | None = None) -> Closest:
        """The closest of `items` to each of `queries`, given as positions in `items`; of equals the first.

        With `before`, [n], only those in front of that position in `items` count for a query.
        """
        ...


class ByFingerprint:
    """Near-duplicates differ in at most `distance` of 64 bits; pictures without a fingerprint resemble none."""

    def __init__(self, method: str, values: Sequence[bytes | None], distance: int) -> None:
        self.method = method
        self._distance = distance
        self._known = np.array([value not in (None, FLAT) for value in values], dtype=np.bool_)
        self._numbers: Numbers = np.zeros(len(values), dtype=np.uint64)
        self._numbers[self._known] = as_numbers(value for value in values if value)

    def within(self, some: Positions) -> NDArray[np.bool_]:
        """See `Likeness`."""
        known = self._known[some]
        near = distances_within(self._numbers[some]) <= self._distance
        return near & known[:, None] & known[None, :]

    def closest(self, queries: Positions, items: Positions, before: Positions | None = None) -> Closest:
        """See `Likeness`."""
        asked, there = (np.flatnonzero(self._known[positions]) for positions in (queries, items))
        limit = None if before is None else np.searchsorted(there, before[asked])
        found = nearest(self._numbers[queries[asked]], self._numbers[items[there]], self._distance, limit)
        closest = _none(len(queries))
        near = found.items >= 0
        closest.items[asked[near]] = there[found.items[near]]
        closest.distances[asked[near]] = found.distances[near]
        return closest


class ByEmbedding:
    """Near-duplicates have a cosine similarity of at least `similarity`; their distance is 1 - similarity."""

    def __init__(self, method: str, vectors: Mapping[int, NDArray[np.float32]], count: int, similarity: float) -> None:
        """`vectors` by position in the list of `count` pictures, each of length 1; the others resemble none."""
        self.method = method
        self._similarity = similarity
        self._row = np.full(count, -1, dtype=np.int64)
        self._row[list(vectors)] = np.arange(len(vectors))
        self._vectors = np.stack(list(vectors.values())) if vectors else np.zeros((0, 1), dtype=np.float32)

    def within(self, some: Positions) -> NDArray[np.bool_]:
        """See `Likeness`."""
        return self._similarities(some, some) >= self._similarity

    def closest(self, queries: Positions, items: Positions, before: Positions | None = None) -> Closest:
        """See `Likeness`. All are compared with all."""
        closest = _none(len(queries))
        for start in range(0, len(queries) if len(items) else 0, _BLOCK):
            like = self._similarities(queries[start : start + _BLOCK], items)
            if before is not None:
                like[np.arange(len(items)) >= before[start : start + _BLOCK, None]] = -1
            best = like.argmax(axis=1)
            top = like[np.arange(len(best)), best]
            near = np.flatnonzero(top >= self._similarity)
            closest.items[start + near] = best[near]
            closest.distances[start + near] = np.maximum(0, 1 - top[near])
        return closest

    def _similarities(self, queries: Positions, items: Positions) -> NDArray[np.float32]:
        """Cosine similarities, [queries, items]; -1 where either has no embedding."""
        rows, columns = self._row[queries], self._row[items]
        like = self._vectors[rows] @ self._vectors[columns].T
        like[rows < 0] = -1
        like[:, columns < 0] = -1
        return like


def _none(count: int) -> Closest:
    return Closest(np.full(count, -1, dtype=np.int64), np.full(count, np.inf))
