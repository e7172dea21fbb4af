import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.statistics import resampling
from anomagent.statistics.resampling import (
    FEWEST_FOR_P,
    check_resampling,
    interval_of,
    mean,
    no_p_value,
    p_value,
    resample,
)


def test_resampled_means_of_two_units_by_hand() -> None:
    # Two draws from [0, 2]: both 0 (1/4), both 2 (1/4), one of each (1/2): means 0, 2 and 1.
    means = resample((np.array([0.0, 2.0]),), mean, 4000, 0)
    assert means.shape == (4000,)
    shares = [np.mean(means == value) for value in (0, 1, 2)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.03)
    assert interval_of(means) == [0, 2]


def test_units_are_drawn_together_through_rows_and_samples() -> None:
    values = np.array([[0.0, 1.0, 4.0], [0.0, 10.0, 40.0]])
    small, large = resample((values,), mean, 100, 0)
    assert large == pytest.approx(10 * small)
    difference = resample((values[1], 10 * values[0]), lambda a, b, axis: (a - b).mean(axis=axis), 100, 0)
    assert difference == pytest.approx(np.zeros(100))


def test_the_seed_decides_and_the_batch_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    values = np.arange(9.0)
    first = resample((values,), mean, 200, 7)
    assert (resample((values,), mean, 200, 8) != first).any()
    for cells in (1, 9 * 64):
        monkeypatch.setattr(resampling, "_CELLS", cells)
        assert (resample((values,), mean, 200, 7) == first).all()


def test_intervals_keep_the_shape_of_the_figures() -> None:
    # Of 0, 1, ... 40 the 2.5 % and 97.5 % points are 0.025 * 40 = 1 and 0.975 * 40 = 39.
    figures = np.arange(41.0)
    assert np.array(interval_of(figures)) == pytest.approx(np.array([1, 39]))
    assert np.array(interval_of(np.stack([figures, -figures]))) == pytest.approx(np.array([[1, 39], [-39, -1]]))


@pytest.mark.parametrize(
    ("means", "expected"),
    [
        ([1.0] * 99, 0.02),  # none at or across 0: 2 (0 + 1) / (99 + 1)
        ([-1.0] * 99, 0.02),
        ([1.0] * 95 + [-1.0] * 4, 0.1),  # 2 (4 + 1) / 100
        ([1.0] * 95 + [0.0] * 4, 0.1),  # 0 itself is on both sides
        ([1.0] * 95 + [1e-17] * 4, 0.1),  # and so is what rounding leaves of it
        ([0.0] * 99, 1.0),  # 2 (99 + 1) / 100 = 2, at most 1
    ],
)
def test_p_values_by_hand(means: list[float], expected: float) -> None:
    assert p_value(np.array(means), FEWEST_FOR_P) == pytest.approx(expected)


def test_few_units_have_no_p_value_but_a_reason() -> None:
    # Two images of which both favour one side: no resample is across 0, whatever their number. That is no 2 / 10,001.
    means = resample((np.array([0.2, 0.4]),), mean, 10_000, 0)
    assert p_value(means, 2) is None
    assert no_p_value(2, "image") == "2 images: too few for a p-value, which needs 10"
    assert no_p_value(1, "image") == "1 image: too few for a p-value, which needs 10"
    assert p_value(means, 9) is None
    assert p_value(means, 10) == pytest.approx(2 / 10_001)
    assert no_p_value(10, "image") is None


@settings(max_examples=30, deadline=None)
@given(st.lists(st.floats(-1, 1), min_size=10, max_size=20))
def test_the_sign_of_a_difference_does_not_change_its_p_value(differences: list[float]) -> None:
    values = np.array(differences)
    one, other = (resample((sign * values,), mean, 100, 0) for sign in (1, -1))
    assert p_value(one, len(values)) == p_value(other, len(values))
    low, high = interval_of(one)
    assert min(differences) - 1e-9 <= low <= high <= max(differences) + 1e-9


@pytest.mark.parametrize(("resamples", "seed", "word"), [(99, 0, "99 resamples"), (100, -1, "seed -1")])
def test_settings_that_cannot_work_are_refused(resamples: int, seed: int, word: str) -> None:
    with pytest.raises(UsageError, match=word):
        check_resampling(resamples, seed)
