from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.dataset.histogram import Histogram, check_plot, plot
from anomagent.errors import UsageError


@given(st.lists(st.floats(-1, 1)), st.integers(1, 30))
def test_every_value_is_in_one_bin(values: list[float], bins: int) -> None:
    assert sum(Histogram.of(values, -1, 1, bins).counts) == len(values)


def test_bins_hold_their_lower_edge_and_the_last_one_both() -> None:
    # Four bins of a quarter: 0 and 0.2 | 0.25 | none | 0.75 and 1.
    histogram = Histogram.of([0, 0.2, 0.25, 0.75, 1], 0, 1, 4)
    assert histogram.counts == (2, 1, 0, 2)
    assert histogram.edges == [0, 0.25, 0.5, 0.75, 1]


def test_nothing_goes_unseen() -> None:
    with pytest.raises(ValueError, match="not between"):
        Histogram.of([1.5], 0, 1)


def test_lines_show_what_the_threshold_cuts() -> None:
    light, cut, dark, last = Histogram.of([0.1, 0.3, 0.3, 0.6, 0.9], 0, 1, 4).lines(0.3)
    assert light.split() == ["0.000", "░" * 20, "1"]
    assert cut.split() == ["0.250", "█" * 40, "2", "◂", "0.3", "and", "above", "stay"]
    assert dark.split() == ["0.500", "█" * 20, "1"]
    assert last.split() == ["0.750", "█" * 20, "1"]


def test_no_values_are_no_bars() -> None:
    assert all("█" not in line for line in Histogram.of([], 0, 1).lines())


def test_a_picture_is_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    histogram = Histogram.of([0.1, 0.9], 0, 1)
    plot({"realism": (histogram, 0.5), "photo": (histogram, None)}, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    with pytest.raises(UsageError, match=r"a\.doc.*\.png"):
        check_plot(tmp_path / "a.doc")
    with pytest.raises(UsageError, match="cannot write"):
        plot({"realism": (histogram, None)}, tmp_path / "nowhere" / "a.png")
