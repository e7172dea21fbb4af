"""How far raters agree beyond chance: coefficients for any number of raters, of whom some gave no answer.

All of them depend on an item only through how many raters chose which category (Cohen's kappa: which of the two chose
which). Items that are alike in this have one profile, and every function takes the profiles and how many items have
each: resampling items is then drawing new numbers for the profiles, however many items there are.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.statistics.resampling import check_resampling, interval_of

Floats = NDArray[np.float64]

MISSING: Final = -1
"""In ratings: this rater gave no answer about this item."""
RESAMPLES: Final = 1_000
FEWEST_ITEMS: Final = 2
"""Items that two raters answered below which there is no coefficient."""
FEWEST_FOR_INTERVAL: Final = 10
"""Items that two raters answered below which resamples repeat each other too much for an interval."""
MOST_UNDEFINED: Final = 0.05
"""Share of resamples without a value above which the rest says too little about the ends of an interval."""
_CELLS: Final = 4_000_000
_ZERO: Final = 1e-12


@dataclass(frozen=True)
class Coefficient:
    """One figure; 1 is perfect agreement, and but for raw agreement 0 is what chance gives."""

    value: float | None
    interval: tuple[float, float] | None
    """95 % percentile bootstrap over items."""
    reason: str | None
    """Why there is no value, or a value but no interval."""


@dataclass(frozen=True)
class Agreement:
    """How far raters agree about items."""

    items: int
    """With at least one answer."""
    shared: int
    """With answers of two raters or more: only these can agree."""
    raters: int
    """Who answered anything."""
    ratings: int
    missing: int
    """Answers that were not given: items times raters, less `ratings`."""
    coefficients: Mapping[str, Coefficient]
    """By name: raw, alpha, ac1, and cohen for two raters, fleiss for more or fewer."""

    def described(self) -> dict[str, Any]:
        """All of it as plain data."""
        counts = {name: getattr(self, name) for name in ("items", "shared", "raters", "ratings", "missing")}
        return counts | {name: vars(figure).copy() for name, figure in self.coefficients.items()}


def measure(ratings: NDArray[np.integer[Any]], categories: int, resamples: int = RESAMPLES, seed: int = 0) -> Agreement:
    """Every coefficient of `ratings` [items, raters], each a category 0 ... `categories` - 1 or `MISSING`.

    Items and raters without any answer are left out. Raises `UsageError` for fewer than 100 resamples and for a
    negative seed, `ValueError` for a rating that is no category.
    """
    check_resampling(resamples, seed)
    if ratings.size and not (ratings.min() >= MISSING and ratings.max() < categories):
        raise ValueError(f"ratings lie outside {MISSING} ... {categories - 1}")
    given = ratings != MISSING
    ratings = ratings[given.any(axis=1)][:, given.any(axis=0)]
    answers = int((ratings != MISSING).sum())
    shared = int(((ratings != MISSING).sum(axis=1) >= 2).sum())
    figures = _figures(ratings, categories, shared, resamples, seed)
    return Agreement(*_counts(ratings, shared, answers), figures)


def raw_agreement(counts: Floats, weights: Floats) -> Floats:
    """The share of pairs of raters who agree about an item, averaged over the items that two or more rated.

    `counts` [profiles, categories]: how many raters chose each; `weights` [..., profiles]: how many items have the
    profile. Returns [...], NaN where undefined; so do the others. Fleiss 1971, Psychological Bulletin 76(5), eq. 2; for
    items with different numbers of raters Gwet, Handbook of Inter-Rater Reliability (2014), ch. 2.
    """
    raters = counts.sum(axis=1)
    pairs = raters * (raters - 1)
    agreeing = (counts * (counts - 1)).sum(axis=1) / np.maximum(pairs, 1)
    return _ratio(weights @ agreeing, weights @ (raters >= 2))


def fleiss_kappa(counts: Floats, weights: Floats) -> Floats:
    """(observed - expected) / (1 - expected), expected = sum of p_c^2: all raters draw from one distribution p.

    Fleiss 1971, Psychological Bulletin 76(5), eq. 3 to 7. Where answers are missing, p is the mean over all rated
    items of the share of their raters who chose c (Gwet 2014, ch. 2); with two raters it is Scott's pi.
    """
    expected = (_prevalence(counts, weights) ** 2).sum(axis=-1)
    return _beyond(raw_agreement(counts, weights), expected)


def gwet_ac1(counts: Floats, weights: Floats) -> Floats:
    """The same with expected = sum of p_c (1 - p_c) / (categories - 1), which stays small where one category prevails.

    Gwet 2008, British Journal of Mathematical and Statistical Psychology 61(1), eq. 6 and 14; p as in `fleiss_kappa`.
    All categories that could be chosen count, chosen or not. It is defined where every answer is the same: then 1.
    """
    shares = _prevalence(counts, weights)
    expected = (shares * (1 - shares)).sum(axis=-1) / (counts.shape[1] - 1)
    return _beyond(raw_agreement(counts, weights), expected)


def krippendorff_alpha(counts: Floats, weights: Floats) -> Floats:
    """1 - observed / expected disagreement, nominal; only answers about items that two or more rated are pairable.

    Krippendorff, Computing Krippendorff's Alpha-Reliability (2011), part C and D; Content Analysis (2019), ch. 12: the
    coincidences of an item count 1 / (its raters - 1) each, and expected pairs are drawn without replacement.
    """
    raters = counts.sum(axis=1)
    pairable = counts * (raters >= 2)[:, None]
    disagreeing = (raters[:, None] - counts) * pairable / np.maximum(raters - 1, 1)[:, None]
    totals = weights @ pairable
    total = totals.sum(axis=-1)
    observed = _ratio(weights @ disagreeing.sum(axis=1), total)
    expected = _ratio((totals * (total[..., None] - totals)).sum(axis=-1), total * (total - 1))
    return 1 - _ratio(observed, expected)


def cohen_kappa(table: Floats) -> Floats:
    """(observed - expected) / (1 - expected) of two raters, expected from each one's own shares of categories.

    `table` [..., categories, categories]: items by the first and the second rater's category. Cohen 1960, Educational
    and Psychological Measurement 20(1), eq. 1.
    """
    total = table.sum(axis=(-2, -1))
    observed = _ratio(np.trace(table, axis1=-2, axis2=-1), total)
    expected = _ratio((table.sum(axis=-1) * table.sum(axis=-2)).sum(axis=-1), total**2)
    return _beyond(observed, expected)


def _figures(
    ratings: NDArray[np.integer[Any]], categories: int, shared: int, resamples: int, seed: int
) -> dict[str, Coefficient]:
    raters = ratings.shape[1]
    profiles, numbers = _profiles(ratings, categories)
    counts, statistics = _statistics(profiles, categories, raters)
    if reason := _too_little(raters, shared):
        return {name: Coefficient(None, None, reason) for name in statistics}
    values = {name: float(statistic(counts, numbers)) for name, statistic in statistics.items()}
    drawn = {name: np.empty(0) for name in statistics}
    if shared >= FEWEST_FOR_INTERVAL:
        blocks = list(_resampled(numbers, resamples, seed))
        drawn = {name: np.concatenate([s(counts, block) for block in blocks]) for name, s in statistics.items()}
    return {name: _coefficient(values[name], drawn[name], shared) for name in statistics}


_Statistic = Callable[[Floats, Floats], Floats]


def _statistics(profiles: NDArray[Any], categories: int, raters: int) -> tuple[Floats, dict[str, _Statistic]]:
    """How often each category was chosen in a profile, and the coefficients by name."""
    if raters != 2:
        return profiles.astype(float), {"raw": raw_agreement, "fleiss": fleiss_kappa, **_FOR_ALL}
    chosen = profiles[:, :, None] == np.arange(categories)
    cells = (chosen[:, 0, :, None] & chosen[:, 1, None, :]).reshape(len(profiles), -1).astype(float)

    def cohen(_counts: Floats, weights: Floats) -> Floats:
        return cohen_kappa((weights @ cells).reshape(*weights.shape[:-1], categories, categories))

    return chosen.sum(axis=1).astype(float), {"raw": raw_agreement, "cohen": cohen, **_FOR_ALL}


_FOR_ALL: Final[Mapping[str, _Statistic]] = {"alpha": krippendorff_alpha, "ac1": gwet_ac1}


def _profiles(ratings: NDArray[np.integer[Any]], categories: int) -> tuple[NDArray[Any], Floats]:
    """The distinct profiles [profiles, ...] and how many items have each; of two raters, what each of them said."""
    if ratings.shape[1] != 2:
        ratings = np.stack([(ratings == category).sum(axis=1) for category in range(categories)], axis=1)
    profiles, numbers = np.unique(ratings, axis=0, return_counts=True)
    return profiles, numbers.astype(float)


def _resampled(numbers: Floats, resamples: int, seed: int) -> Iterator[Floats]:
    """Numbers of items by profile in resamples, [some resamples, profiles] at a time: items drawn with replacement."""
    generator = np.random.default_rng(seed)
    items = int(numbers.sum())
    most = max(1, _CELLS // len(numbers))
    for begin in range(0, resamples, most):
        block = min(most, resamples - begin)
        yield generator.multinomial(items, numbers / items, size=block).astype(float)


def _coefficient(value: float, drawn: Floats, shared: int) -> Coefficient:
    if np.isnan(value):
        return Coefficient(None, None, "all of them chose the same category, so chance alone explains it")
    if not drawn.size:
        needed = f"too few for an interval, which needs {FEWEST_FOR_INTERVAL}"
        return Coefficient(value, None, f"{shared} items have two answers: {needed}")
    undefined = float(np.isnan(drawn).mean())
    if undefined > MOST_UNDEFINED:
        return Coefficient(value, None, f"{undefined:.0%} of the resamples have no value, so there is no interval")
    low, high = interval_of(drawn[~np.isnan(drawn)])
    return Coefficient(value, (low, high), None)


def _too_little(raters: int, shared: int) -> str | None:
    if raters < 2:
        return "nobody answered" if raters == 0 else "only one person answered"
    if shared < FEWEST_ITEMS:
        return f"{shared or 'no'} item{'' if shared == 1 else 's'} with two answers: {FEWEST_ITEMS} are needed"
    return None


def _counts(ratings: NDArray[Any], shared: int, answers: int) -> tuple[int, int, int, int, int]:
    items, raters = ratings.shape
    return items, shared, raters, answers, items * raters - answers


def _prevalence(counts: Floats, weights: Floats) -> Floats:
    """The share of each category, [..., categories]: the mean over items of the share of their raters."""
    shares = counts / counts.sum(axis=1, keepdims=True)
    return (weights @ shares) / weights.sum(axis=-1, keepdims=True)


def _beyond(observed: Floats, expected: Floats) -> Floats:
    return _ratio(observed - expected, 1 - expected)


def _ratio(numerator: Any, denominator: Any) -> Floats:
    """NaN where the denominator is 0."""
    numerator, denominator = np.asarray(numerator, float), np.asarray(denominator, float)
    nothing = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    return np.divide(numerator, denominator, out=nothing, where=np.abs(denominator) > _ZERO)
