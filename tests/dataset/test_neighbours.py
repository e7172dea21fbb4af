"""Neighbours: exactly those that comparing all with all finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.dataset import neighbours
from anomagent.dataset.neighbours import Numbers, components, near_links, near_pairs, nearest

FEW_BITS = st.integers(0, 2**12 - 1).map(lambda bits: bits << 7)
NUMBERS = st.lists(st.one_of(FEW_BITS, st.integers(0, 2**64 - 1)), max_size=40)
DISTANCE = st.integers(0, neighbours.FARTHEST)


def numbers_of(values: list[int]) -> Numbers:
    return np.array(values, dtype=np.uint64)


def bits_apart(a: int, b: int) -> int:
    return (a ^ b).bit_count()


@given(NUMBERS, NUMBERS, DISTANCE)
@settings(max_examples=200, deadline=None)
def test_pairs_are_those_of_comparing_all(queries: list[int], items: list[int], distance: int) -> None:
    found = [
        pair
        for some in near_pairs(numbers_of(queries), numbers_of(items), distance)
        for pair in zip(some.queries.tolist(), some.items.tolist(), some.distances.tolist(), strict=True)
    ]
    expected = [(i, j, bits_apart(a, b)) for i, a in enumerate(queries) for j, b in enumerate(items)]
    assert sorted(found) == [pair for pair in expected if pair[2] <= distance]


@pytest.mark.parametrize("at_once", [1, 7])
def test_pieces_leave_nothing_out(at_once: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "_AT_ONCE", at_once)
    numbers = np.arange(40, dtype=np.uint64)
    found = sum(len(some.queries) for some in near_pairs(numbers, numbers, 1))
    assert found == sum(bits_apart(a, b) <= 1 for a in range(40) for b in range(40))


@given(NUMBERS, NUMBERS, DISTANCE)
@settings(deadline=None, max_examples=60)
def test_the_nearest_is_the_first_of_the_closest(queries: list[int], items: list[int], distance: int) -> None:
    found = nearest(numbers_of(queries), numbers_of(items), distance)
    for place, query in enumerate(queries):
        close = [(bits_apart(query, item), position) for position, item in enumerate(items)]
        within = [one for one in close if one[0] <= distance]
        assert found.counts[place] == len(within)
        if within:
            assert (found.distances[place], found.items[place]) == min(within)
        else:
            assert (found.distances[place], found.items[place]) == (np.inf, -1)


@given(NUMBERS, NUMBERS, DISTANCE, st.integers(0, 40))
@settings(deadline=None, max_examples=60)
def test_the_nearest_of_the_first_items(queries: list[int], items: list[int], distance: int, limit: int) -> None:
    before = np.full(len(queries), limit)
    found = nearest(numbers_of(queries), numbers_of(items), distance, before)
    expected = nearest(numbers_of(queries), numbers_of(items[:limit]), distance)
    assert (found.items.tolist(), found.distances.tolist()) == (expected.items.tolist(), expected.distances.tolist())


@given(NUMBERS, DISTANCE)
@settings(deadline=None, max_examples=60)
def test_groups_are_those_of_walking_from_neighbour_to_neighbour(values: list[int], distance: int) -> None:
    groups = components(len(values), near_links(numbers_of(values), distance)).tolist()
    seen: dict[int, int] = {}
    for start in range(len(values)):
        if start in seen:
            continue
        to_do = [start]
        while to_do:
            place = to_do.pop()
            if place not in seen:
                seen[place] = start
                to_do += [other for other in range(len(values)) if bits_apart(values[place], values[other]) <= distance]
    assert groups == [seen[place] for place in range(len(values))]


def test_bands_that_help_are_used_and_others_are_not() -> None:
    unlike = np.random.default_rng(0).integers(0, 2**63, 300, dtype=np.uint64)
    alike = np.arange(300, dtype=np.uint64)  # the upper bands are zero in all
    assert len(neighbours._bands(unlike, unlike, 6)) == 7
    assert neighbours._bands(alike, alike, 6) == [(0, 0)]
