"""Exact neighbours among 64-bit fingerprints by Hamming distance, without comparing all with all.

If two fingerprints differ in at most d bits and are cut into d + 1 bands, one band is the same in both (pigeonhole).
So only those that share a band are compared: of 100,000 fingerprints about one pair in seventy at distance 6. Where
they are so alike that bands would not help, all are compared. Memory stays flat: pairs are looked at in pieces.
"""

from collections.abc import Iterator, Sequence
from importlib import import_module
from itertools import pairwise
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.uint64]
Positions = NDArray[np.int64]
Distances = NDArray[np.float32]

BITS: Final = 64
FARTHEST: Final = 16
"""The largest distance that is searched for: unrelated pictures come as close as 18 bits now and then."""
_AT_ONCE: Final = 2_000_000
"""Pairs that are compared at a time: some 60 MB."""


class Pairs(NamedTuple):
    """Pairs that are close: positions of queries and of items, [n] each, and how far apart they are."""

    queries: Positions
    items: Positions
    distances: NDArray[np.uint8]


class Nearest(NamedTuple):
    """Of each query, [n]: the closest item within reach, how far it is, and how many there are."""

    items: Positions
    """-1 where no item is within reach; of several as close the first."""
    distances: Distances
    counts: Positions


def near_pairs(queries: Numbers, items: Numbers, distance: int) -> Iterator[Pairs]:
    """All pairs of a query and an item that differ in at most `distance` bits, each pair once, in pieces."""
    bands = _bands(queries, items, distance)
    for number, band in enumerate(bands):
        for left, right in _sharing(_cut(queries, band), _cut(items, band)):
            apart = np.bitwise_count(queries[left] ^ items[right])
            close = apart <= distance
            left, right, apart = left[close], right[close], apart[close]
            for earlier in bands[:number]:  # a pair that shares two bands has been told of already
                new = _cut(queries[left], earlier) != _cut(items[right], earlier)
                left, right, apart = left[new], right[new], apart[new]
            if len(left):
                yield Pairs(left, right, apart)


def nearest(queries: Numbers, items: Numbers, distance: int, before: Positions | None = None) -> Nearest:
    """The closest item of each query, at most `distance` bits away.

    With `before`, [n], only the items in front of that position count for a query (for `counts`, all that equal one
    of them do). Equal items are searched once: a thousand blank pages cost no more than one.
    """
    distinct, first, copies = np.unique(items, return_index=True, return_counts=True)
    order = np.argsort(first)
    distinct, first, copies = distinct[order], first[order], copies[order]
    best = np.full(len(queries), np.iinfo(np.int64).max)
    counts = np.zeros(len(queries), dtype=np.int64)
    for left, right, apart in near_pairs(queries, distinct, distance):
        if before is not None:
            allowed = first[right] < before[left]
            left, right, apart = left[allowed], right[allowed], apart[allowed]
        np.minimum.at(best, left, apart.astype(np.int64) * len(items) + first[right])
        np.add.at(counts, left, copies[right])
    found = counts > 0
    place = np.where(found, best, 0)
    size = max(1, len(items))
    apart = np.where(found, place // size, np.inf).astype(np.float32)
    return Nearest(np.where(found, place % size, -1), apart, counts)


def distances_within(numbers: Numbers) -> NDArray[np.uint8]:
    """How many bits each differs from each, [n, n]."""
    return np.bitwise_count(numbers[:, None] ^ numbers[None, :])


def components(count: int, links: Iterator[tuple[Positions, Positions]]) -> Positions:
    """The group of each of `count` items, [count]: the position of its first item, where `links` join items.

    Whatever is linked through others is one group.
    """
    sparse: Any = import_module("scipy.sparse")
    graph: Any = import_module("scipy.sparse.csgraph")
    labels: Positions = np.arange(count)
    for left, right in links:
        ones = np.ones(len(left), dtype=np.bool_)
        joined = sparse.coo_matrix((ones, (labels[left], labels[right])), shape=(count, count))
        labels = graph.connected_components(joined, directed=False)[1][labels].astype(np.int64)
    first = np.full(count, count, dtype=np.int64)
    np.minimum.at(first, labels, np.arange(count))
    return first[labels]


def near_links(numbers: Numbers, distance: int) -> Iterator[tuple[Positions, Positions]]:
    """Links that join all that differ in at most `distance` bits; equal ones are linked to their first."""
    distinct, first, place = np.unique(numbers, return_index=True, return_inverse=True)
    yield np.arange(len(numbers)), first[place]
    for left, right, _ in near_pairs(distinct, distinct, distance):
        once = left < right
        yield first[left[once]], first[right[once]]


def _bands(queries: Numbers, items: Numbers, distance: int) -> Sequence[tuple[int, int]]:
    """Shift and width of each band; the one band without bits, which all share, where that is less work."""
    ends = np.linspace(0, BITS, distance + 2).astype(int)
    bands = [(int(start), int(end - start)) for start, end in pairwise(ends)]
    work = sum(_pairs_sharing(_cut(queries, band), _cut(items, band)) for band in bands)
    return bands if work < len(queries) * len(items) else [(0, 0)]


def _cut(numbers: Numbers, band: tuple[int, int]) -> Numbers:
    shift, width = band
    return (numbers >> np.uint64(shift)) & np.uint64((1 << width) - 1)


def _pairs_sharing(queries: Numbers, items: Numbers) -> int:
    known, sizes = np.unique(items, return_counts=True)
    if not len(known):
        return 0
    place = np.minimum(np.searchsorted(known, queries), len(known) - 1)
    return int(sizes[place][known[place] == queries].sum())


def _sharing(queries: Numbers, items: Numbers) -> Iterator[tuple[Positions, Positions]]:
    """Positions of all pairs whose keys are equal, some million pairs at a time."""
    order = np.argsort(items, kind="stable")
    ordered = items[order]
    starts, ends = (np.searchsorted(ordered, queries, side) for side in ("left", "right"))
    sizes = ends - starts
    before = np.concatenate(([0], np.cumsum(sizes)))
    start = 0
    while start < len(queries):
        end = max(start + 1, int(np.searchsorted(before, before[start] + _AT_ONCE, "right")) - 1)
        some = sizes[start:end]
        left = np.repeat(np.arange(start, end), some)
        within = np.arange(len(left)) - np.repeat(before[start:end] - before[start], some)
        yield left, order[np.repeat(starts[start:end], some) + within]
        start = end
