import numpy as np
import pytest

from anomagent.audit.measures import MEASURES
from anomagent.audit.resampling import estimate, estimate_difference


def rows_of(mai_af: list[tuple[float, int]]) -> np.ndarray:
    return np.array([(mai, af, mai * af, float(af == 0)) for mai, af in mai_af])


def test_two_images_have_the_interval_of_all_their_resamples():
    # Drawn with replacement: both first (1/4), both second (1/4), one of each (1/2). MAI is then 0, 2 or 1, so the
    # 2.5 % and 97.5 % points are 0 and 2. AF likewise 0 and 4; CAP and product of means 0 and 8; clean share 0 and 1.
    estimates = estimate(rows_of([(0, 0), (2, 4)]), 1000, 0)
    assert estimates.values == dict(zip(MEASURES, [1, 2, 4, 2, 0.5], strict=True))
    assert estimates.intervals == dict(zip(MEASURES, [[0, 2], [0, 4], [0, 8], [0, 8], [0, 1]], strict=True))
    assert estimates.reason is None


def test_the_interval_of_the_mean_is_near_the_textbook_one():
    values = np.random.default_rng(5).normal(3, 1, 400).clip(0)
    low, high = estimate(rows_of([(value, 1) for value in values]), 2000, 1).intervals["mai"]
    half = 1.96 * values.std() / 20  # the standard error of 400 values
    assert low == pytest.approx(values.mean() - half, abs=0.02)
    assert high == pytest.approx(values.mean() + half, abs=0.02)


def test_the_same_seed_gives_the_same_interval_for_images_in_any_order():
    rows = rows_of([(0.1 * index, index % 4) for index in range(9)])
    expected = estimate(rows, 200, 7)
    assert estimate(rows[::-1], 200, 7) == expected
    assert estimate(rows, 200, 8) != expected


def test_equal_images_have_an_interval_without_width():
    estimates = estimate(rows_of([(0, 0)] * 3), 100, 0)
    assert estimates.intervals == dict(zip(MEASURES, [[0, 0]] * 4 + [[1, 1]], strict=True))


def test_one_image_has_values_and_no_interval():
    estimates = estimate(rows_of([(2, 4)]), 100, 0)
    assert estimates.values == dict(zip(MEASURES, [2, 4, 8, 8, 0], strict=True))
    assert (estimates.intervals, estimates.reason) == (None, "a single image gives no interval")


def test_no_image_has_nothing():
    assert estimate(np.empty((0, 4)), 100, 0).values is None


def test_a_difference_has_the_mean_the_interval_and_the_p_value_of_its_resamples():
    # Every resampled mean of ten times 1 is 1: none is <= 0, so p = 2 * (0 + 1) / (999 + 1)
    difference = estimate_difference(np.ones(10), 999, 0)
    assert (difference.mean, difference.interval, difference.p_value) == (1, [1, 1], 0.002)
    assert estimate_difference(np.zeros(10), 999, 0).p_value == 1


def test_few_pairs_have_an_interval_and_no_p_value():
    # The mean of two draws from [-1, 3] is -1 (1/4), 1 (1/2) or 3 (1/4)
    difference = estimate_difference(np.array([-1.0, 3.0]), 999, 0)
    assert (difference.mean, difference.interval, difference.p_value) == (1, [-1, 3], None)


def test_one_pair_gives_neither_interval_nor_p_value():
    difference = estimate_difference(np.array([2.0]), 100, 0)
    assert (difference.mean, difference.interval, difference.p_value) == (2, None, None)
