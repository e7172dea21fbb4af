"""What people said so far, in memory."""

import functools
import itertools
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from anomagent.benchmark.kinds import KINDS
from anomagent.review.bits import bits_of, first_from, span
from anomagent.review.routing import Rules
from anomagent.review.shelf import Shelf
from anomagent.review.votes import Votes
from anomagent.state.reviews import VERDICTS
from anomagent.store.candidates import CandidateImage, CandidateTable
from anomagent.store.reviews import Given

SIZES = (3, 1, 4)
COUNT = sum(SIZES)


def shelf() -> Shelf:
    """Candidates 101 to 108 on three images, all their kinds known."""
    table = CandidateTable()
    stops = list(itertools.accumulate(SIZES))
    table.images.extend(
        CandidateImage(str(stop), f"{stop}.png", 4, 4, None, stop - size, stop)
        for size, stop in zip(SIZES, stops, strict=True)
    )
    table.ids.extend(range(101, 101 + COUNT))
    table.positions.extend([0] * COUNT)
    table.severities.extend(range(COUNT))
    table.kinds.extend([KINDS.index("text")] * COUNT)
    table.contents.extend(place << 61 for place in range(COUNT))  # the k-th eighth of all contents
    return Shelf(table)


SAID = st.lists(
    st.tuples(
        st.integers(100, 101 + COUNT),
        st.sampled_from(["ada", "ben", "judge"]),
        st.sampled_from([*VERDICTS, "WITHDRAWN"]),
    ),
    max_size=30,
)


RULES = st.sampled_from(
    [Rules(), Rules(overlap=0.5, people=2), Rules(adjudicators=("judge",)), Rules(1.0, 3, ("judge",))]
)


@given(said=SAID, rules=RULES, cuts=st.lists(st.integers(0, 30), max_size=4))
def test_answers_one_by_one_come_to_the_same_as_all_at_once(
    said: list[tuple[int, str, Any]], rules: Rules, cuts: list[int]
) -> None:
    rows = [Given(row, *three, rules.capacity_of(three[1])) for row, three in enumerate(said, start=1)]
    whole, parts = Votes(shelf(), rules), Votes(shelf(), rules)
    whole.take(rows)
    for cut in sorted(cuts):
        parts.take(rows[:cut])  # with those that were seen already
    parts.take(rows)
    assert (parts.people, parts.decided, parts.disputed) == (whole.people, whole.decided, whole.disputed)
    decided = (bits for bits in whole.decided.values())
    assert parts.answered == whole.answered == functools.reduce(int.__or__, decided)
    for capacity in ("annotator", "adjudicator"):
        assert parts.open_to(capacity) == whole.open_to(capacity)
        wanting = (whole.wanted(place) for place in range(COUNT))
        fitting = [place for place, each in enumerate(wanting) if each.people and each.capacity == capacity]
        assert whole.open_to(capacity) == bits_of(fitting, COUNT)
    assert not whole.open_to("annotator") & whole.open_to("adjudicator")


@given(positions=st.sets(st.integers(0, 99)), start=st.integers(0, 99))
def test_sets_as_numbers(positions: set[int], start: int) -> None:
    bits = bits_of(positions, 100)
    assert bits == sum(1 << position for position in positions)
    ahead = [position for position in positions if position >= start]
    assert first_from(bits, start) == (min(ahead or positions) if positions else None)
    assert span(start, 100) == bits_of(range(start, 100), 100)
