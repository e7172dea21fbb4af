import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from anomagent.errors import UsageError
from anomagent.evaluation import agreement as of_pairs
from anomagent.statistics import agreement
from anomagent.statistics.agreement import MISSING, measure, raw_interval
from anomagent.statistics.coefficients import (
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    raw_agreement,
)

# Krippendorff 2011, part C: four observers, twelve units, five categories; 0 stands for no answer.
KRIPPENDORFF = """
    1 1 0 1   2 2 3 2   3 3 3 3   3 3 3 3   2 2 2 2   1 2 3 4
    4 4 4 4   1 1 2 1   2 2 2 2   0 5 5 5   0 0 1 1   0 0 3 0"""
# Fleiss 1971, table 1: how many of six psychiatrists gave each of 30 patients one of five diagnoses.
FLEISS = """
    00060 03003 01401 00006 03030 20400 00402 20310 20040 00006 10050 11040 03300 10050 02031
    00501 30012 51000 02040 10203 00006 01050 02013 20040 10041 05010 40002 02040 10500 00006"""


def values(ratings: object, categories: int) -> dict[str, float | None]:
    measured = measure(np.array(ratings, dtype=int), categories, 100)
    return {name: figure.value for name, figure in measured.coefficients.items()}


def test_krippendorffs_example_with_missing_answers() -> None:
    ratings = np.array(KRIPPENDORFF.split(), int).reshape(12, 4) - 1
    # alpha .743: Krippendorff 2011, part C; the others of the same data: Gwet 2014, the tables of his R package irrCAC.
    expected = {"raw": 0.8182, "cohen": None, "fleiss": 0.7612, "alpha": 0.7434, "ac1": 0.7754}
    assert values(ratings, 5) == pytest.approx(expected, abs=5e-5)
    measured = measure(ratings, 5, 100)
    # The twelfth unit has one answer; of 4 * 12 answers 41 were given.
    assert (measured.items, measured.shared, measured.raters) == (12, 11, 4)
    assert (measured.ratings, measured.missing) == (41, 7)


def test_fleiss_example() -> None:
    counts = np.array([list(map(int, row)) for row in FLEISS.split()], float)
    ones = np.ones(30)
    assert raw_agreement(counts, ones) == pytest.approx(0.5556, abs=5e-5)
    assert fleiss_kappa(counts, ones) == pytest.approx(0.430, abs=5e-4)


def test_two_raters_by_hand() -> None:
    # 20 both yes, 5 and 10 on which they differ, 15 both no. Observed: 35/50 = 0.7. Cohen expects
    # 25/50 * 30/50 + 25/50 * 20/50 = 0.5: kappa (0.7 - 0.5) / 0.5 = 0.4.
    table = np.array([[20, 5], [10, 15]])
    assert cohen_kappa(table.astype(float)) == pytest.approx(0.4)
    ratings = np.repeat([[0, 0], [0, 1], [1, 0], [1, 1]], table.ravel(), axis=0)
    # All answers: 55 yes, 45 no of 100. AC1 expects 2 * 0.55 * 0.45 = 0.495: (0.7 - 0.495) / 0.505.
    # Fleiss expects 0.55^2 + 0.45^2 = 0.505: (0.7 - 0.505) / 0.495.
    # alpha: observed disagreement 0.3, expected 2 * 55 * 45 / (100 * 99) = 0.5: 1 - 0.3 / 0.5 = 0.4.
    expected = {"raw": 0.7, "cohen": 0.4, "fleiss": 0.195 / 0.495, "alpha": 0.4, "ac1": 0.205 / 0.505}
    assert values(ratings, 2) == pytest.approx(expected)


def test_where_one_category_prevails_ac1_stays_with_raw_agreement() -> None:
    # 118 both yes, 5 and 2 on which they differ, none both no (Gwet 2008, the paradox of kappa). Observed 0.944.
    # Cohen expects 0.984 * 0.96 + 0.016 * 0.04 = 0.94528: -0.00128 / 0.05472 = -0.0234.
    # AC1 expects 2 * 0.972 * 0.028 = 0.054432: 0.889568 / 0.945568 = 0.9408.
    ratings = np.repeat([[0, 0], [0, 1], [1, 0]], [118, 5, 2], axis=0)
    found = values(ratings, 2)
    assert found["cohen"] == pytest.approx(-0.0234, abs=5e-5)
    assert found["ac1"] == pytest.approx(0.9408, abs=5e-5)


def test_three_raters_by_hand() -> None:
    # Items AAA, AAB and A (one answer). Agreeing pairs: 3/3 and 1/3, on average 2/3.
    # Shares of A: 1, 2/3, 1: mean 8/9. Fleiss expects 64/81 + 1/81 = 65/81: (54/81 - 65/81) / (16/81) = -11/16.
    # AC1 expects 2 * 8/9 * 1/9 = 16/81: (54 - 16) / (81 - 16) = 38/65.
    # alpha: answers of the first two items: 5 A, 1 B. Observed: AAB has 4 of 6 ordered pairs that differ, by 1/2
    # each: 2 of 6. Expected: 2 * 5 * 1 / (6 * 5) = 1/3. alpha = 1 - (1/3) / (1/3) = 0.
    ratings = [[0, 0, 0], [0, 0, 1], [MISSING, 0, MISSING]]
    expected = {"raw": 2 / 3, "cohen": None, "fleiss": -11 / 16, "alpha": 0, "ac1": 38 / 65}
    assert values(ratings, 2) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize(
    ("ratings", "reason"),
    [
        ([[0], [1]], "only one person answered"),
        ([[MISSING, MISSING]], "nobody answered"),
        ([[0, 1], [0, MISSING]], "1 item with two answers"),
        ([[0, MISSING], [MISSING, 1]], "no items with two answers"),
    ],
)
def test_nothing_where_there_is_too_little(ratings: list[list[int]], reason: str) -> None:
    figures = measure(np.array(ratings), 2, 100).coefficients
    assert list(figures) == ["raw", "cohen", "fleiss", "alpha", "ac1"]
    for figure in figures.values():
        assert figure.value is None
        assert figure.interval is None
        assert figure.reason is not None
        assert reason in figure.reason


def test_one_category_alone_leaves_only_raw_agreement_and_ac1() -> None:
    figures = measure(np.zeros((20, 2), int), 3, 100).coefficients
    assert (figures["raw"].value, figures["ac1"].value) == (1, 1)
    for name in ("cohen", "fleiss", "alpha"):
        assert figures[name].value is None
        assert "same category" in str(figures[name].reason)


def test_few_items_have_a_value_and_no_interval() -> None:
    for figure in measure(np.array([[0, 0], [1, 1], [0, 1]] * 3), 2, 100).coefficients.values():
        assert figure.value is not None
        assert figure.interval is None
        assert figure.reason == "9 items with two answers: too few for an interval, which needs 10"


def test_many_items_of_few_clusters_have_no_interval() -> None:
    ratings, clusters = np.array([[0, 0], [1, 1], [0, 1]] * 30), ["a", "b", "c"] * 30
    figure = measure(ratings, 2, 100, clusters=clusters, cluster="image").coefficients["raw"]
    assert figure.reason == "3 images with two answers: too few for an interval, which needs 10"


def test_no_interval_where_many_resamples_have_no_value() -> None:
    # One of 20 items is another category: it misses (19/20)^20 = 36 % of the resamples.
    figures = measure(np.array([[0, 0]] * 19 + [[1, 1]]), 2, 1000).coefficients
    assert figures["cohen"].value == 1
    assert figures["cohen"].interval is None
    assert "% of the resamples have no value" in str(figures["cohen"].reason)


def test_perfect_agreement_is_not_certain() -> None:
    figures = measure(np.array([[0, 0], [1, 1]] * 6), 2, 200).coefficients
    # Wilson: the lower end is 12 / (12 + 1.96^2) = 0.7575.
    assert figures["raw"].interval == pytest.approx((0.7575, 1), abs=5e-5)
    for name in ("cohen", "fleiss", "alpha", "ac1"):
        assert (figures[name].value, figures[name].interval) == (1, None)
        assert "the same in all resamples" in str(figures[name].reason)
    # Sixty items of twelve images may be no more than twelve.
    images = [number for number in range(12) for _ in range(5)]
    sixty = measure(np.array([[0, 0], [1, 1]] * 30), 2, 200, clusters=images).coefficients
    assert sixty["raw"].interval == figures["raw"].interval


def test_interval_of_raw_agreement_is_wilsons() -> None:
    # Of 400 items 300 agree. Wilson: z^2 = 3.8415; middle (0.75 + 3.8415/800) / (1 + 3.8415/400) = 0.747622;
    # half of it 1.96 * sqrt(0.1875/400 + 3.8415/640000) / 1.009604 = 0.042302. Variance over 399 instead of 400 items.
    agreeing = np.repeat([1.0, 0.0], [300, 100])
    assert raw_interval(agreeing, np.arange(400), 400) == pytest.approx((0.70532, 0.78992), abs=2e-4)


def test_items_of_a_cluster_that_repeat_each_other_count_once() -> None:
    once, places = np.repeat([1.0, 0.0], [30, 10]), np.arange(40)
    fourfold = raw_interval(np.repeat(once, 4), np.repeat(places, 4), 160)
    assert fourfold == pytest.approx(raw_interval(once, places, 40))
    assert raw_interval(np.repeat(once, 4), np.arange(160), 160)[0] > fourfold[0] + 0.05


def test_many_raters_tell_more_than_two() -> None:
    # Of ten raters five or six say yes, in turn: of the 45 pairs 20 and 21 agree.
    agreeing = np.array([20 / 45, 21 / 45] * 20)
    low, high = raw_interval(agreeing, np.arange(40), 40 * 45)
    # Wilson of 1800 pairs: 1.96 * sqrt(0.4556 * 0.5444 / 1800) = 0.0230 on each side.
    assert high - low == pytest.approx(2 * 0.0230, abs=2e-4)


def test_clusters_are_drawn_whole() -> None:
    generator = np.random.default_rng(1)
    once = generator.integers(0, 2, (60, 2))
    ratings, clusters = np.repeat(once, 5, axis=0), [number for number in range(60) for _ in range(5)]
    alone, whole = measure(once, 2, 300).coefficients, measure(ratings, 2, 300, clusters=clusters).coefficients
    for name in ("cohen", "fleiss", "ac1"):
        assert whole[name].interval == pytest.approx(alone[name].interval, abs=0.05)
    apart = measure(ratings, 2, 300).coefficients["ac1"].interval
    together = whole["ac1"].interval
    assert apart
    assert together
    # A fifth of the information: wider by the root of five, 2.2.
    assert together[1] - together[0] > 1.8 * (apart[1] - apart[0])


def test_the_seed_decides_and_the_block_does_not(monkeypatch: pytest.MonkeyPatch) -> None:
    ratings = np.array(KRIPPENDORFF.split(), int).reshape(12, 4) - 1
    first = measure(ratings, 5, 200, seed=3)
    assert measure(ratings, 5, 200, seed=4) != first
    monkeypatch.setattr(agreement, "_CELLS", 60)
    assert measure(ratings, 5, 200, seed=3) == first


def test_what_is_no_category_is_refused() -> None:
    with pytest.raises(ValueError, match="outside -1"):
        measure(np.array([[0, 3]]), 3, 100)
    with pytest.raises(UsageError, match="too few"):
        measure(np.array([[0, 1]]), 3, 99)


def test_cohen_is_that_of_the_evaluation() -> None:
    pairs = of_pairs.Agreement(both=11, first_only=3, second_only=5, neither=7)
    assert cohen_kappa(np.array([[11.0, 3], [5, 7]])) == pytest.approx(pairs.kappa)


Ratings = NDArray[np.int64]


def ratings_of(least: int) -> st.SearchStrategy[Ratings]:
    shapes = st.tuples(st.integers(2, 8), st.integers(2, 4))
    return shapes.flatmap(lambda shape: arrays(np.int64, shape, elements=st.integers(least, 2)))


@settings(deadline=None, max_examples=50)
@given(ratings_of(MISSING), st.permutations(range(3)))
def test_names_of_categories_and_the_order_of_raters_do_not_matter(ratings: Ratings, names: list[int]) -> None:
    renamed = np.where(ratings == MISSING, MISSING, np.array(names)[ratings])
    turned = renamed[::-1, ::-1]
    assert values(turned, 3) == pytest.approx(values(ratings, 3), nan_ok=True, abs=1e-9)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.integers(0, 2), min_size=2, max_size=12), st.integers(2, 5))
def test_perfect_agreement_is_one(items: list[int], raters: int) -> None:
    assume(len(set(items)) > 1)
    found = values(np.repeat([items], raters, axis=0).T, 3)
    assert found.pop("cohen") == pytest.approx(1 if raters == 2 else None)
    assert list(found.values()) == pytest.approx([1] * 4)


@settings(deadline=None, max_examples=50)
@given(ratings_of(0))
def test_alpha_is_fleiss_kappa_corrected_for_small_samples(ratings: Ratings) -> None:
    # With n answers and none missing: alpha = kappa + (1 - kappa) / n (Krippendorff 2019, ch. 12).
    counts = np.stack([(ratings == category).sum(axis=1) for category in range(3)], axis=1).astype(float)
    ones = np.ones(len(counts))
    kappa, alpha = float(fleiss_kappa(counts, ones)), float(krippendorff_alpha(counts, ones))
    assert alpha == pytest.approx(kappa + (1 - kappa) / ratings.size, nan_ok=True)


@settings(deadline=None, max_examples=50)
@given(ratings_of(MISSING))
def test_nothing_exceeds_one_and_nothing_agrees_more_than_raw(ratings: Ratings) -> None:
    found = values(ratings, 3)
    assert all(value is None or value <= 1 + 1e-9 for value in found.values())
    assert found["ac1"] is None or found["raw"] is None or found["ac1"] <= found["raw"] + 1e-9


def test_ac1_counts_the_categories_that_nobody_chose() -> None:
    # Shares 1/2, 1/2, 0: two categories expect 2 * 1/4 / 1 = 1/2, three 2 * 1/4 / 2 = 1/4. Observed 0.
    counts, ones = np.array([[1.0, 1.0]]), np.ones(1)
    assert gwet_ac1(counts, ones) == pytest.approx(-1)
    assert gwet_ac1(np.array([[1.0, 1.0, 0.0]]), ones) == pytest.approx(-1 / 3)
