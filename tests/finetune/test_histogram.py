"""Counts of tokens: bins that hold every instance."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anomagent.finetune.histogram import TokenCounts, histogram_lines


def counts_of(totals: list[int]) -> TokenCounts:
    counts = TokenCounts()
    for total in totals:
        counts.add(total, 1)
    return counts


def test_bins_by_hand() -> None:
    # 500 to 564: (564 - 500) // 16 = 4, of three bits, so bins are 8 wide: 497..504, ..., 561..568.
    bins = list(counts_of([500, 504, 505, 564]).bins())
    assert bins[0] == (496, 504, 2)
    assert bins[1] == (504, 512, 1)
    assert bins[-1] == (560, 568, 1)
    assert len(bins) == 9


def test_quantiles_by_hand() -> None:
    said = counts_of([5, 1, 4, 2, 3]).summary()
    assert (said["least"], said["median"], said["p95"], said["most"], said["mean"], said["sum"]) == (
        1,
        3,
        4,
        5,
        3.0,
        15,
    )
    assert said["of_images"] == 5


@given(st.lists(st.integers(1, 100_000), min_size=1, max_size=50))
def test_every_instance_is_in_one_bin(totals: list[int]) -> None:
    bins = list(counts_of(totals).bins())
    assert [sum(low < total <= high for total in totals) for low, high, _ in bins] == [count for *_, count in bins]
    assert sum(count for *_, count in bins) == len(totals)
    assert len(bins) <= 18
    assert bins[0][2] > 0
    assert bins[-1][2] > 0


def test_lines_have_bars() -> None:
    lines = histogram_lines(counts_of([500, 504, 505, 564]).summary()["histogram"])
    assert [line.count("█") for line in lines] == [40, 20, 0, 0, 0, 0, 0, 0, 20]
    assert lines[0].startswith("   497 to    504 █")
