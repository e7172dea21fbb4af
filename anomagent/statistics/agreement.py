"""How far raters agree beyond chance, with intervals that mind which items belong together."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.statistics.coefficients import (
    Floats,
    cohen_kappa,
    fleiss_kappa,
    gwet_ac1,
    krippendorff_alpha,
    raw_agreement,
)
from anomagent.statistics.resampling import CONFIDENCE, check_resampling, interval_of

MISSING: Final = -1
"""In ratings: this rater gave no answer about this item."""
RESAMPLES: Final = 1_000
FEWEST_ITEMS: Final = 2
"""Items that two raters answered below which there is no coefficient."""
FEWEST_FOR_INTERVAL: Final = 10
"""Clusters of items that two raters answered below which resamples repeat each other too much for an interval."""
MOST_UNDEFINED: Final = 0.05
"""Share of resamples without a value above which the rest says too little about the ends of an interval."""
_CELLS: Final = 4_000_000
_ZERO: Final = 1e-12
_Z: Final = NormalDist().inv_cdf((1 + CONFIDENCE) / 2)

Ratings = NDArray[np.integer[Any]]


@dataclass(frozen=True)
class Coefficient:
    """One figure; 1 is perfect agreement, and but for raw agreement 0 is what chance gives."""

    value: float | None
    interval: tuple[float, float] | None
    """95 %: of raw agreement `raw_interval`, of the others a percentile bootstrap over clusters."""
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
    """By name, always the same: raw, cohen (of two raters), fleiss, alpha, ac1."""

    def described(self) -> dict[str, Any]:
        """All of it as plain data."""
        counts = {name: getattr(self, name) for name in ("items", "shared", "raters", "ratings", "missing")}
        return counts | {name: vars(figure).copy() for name, figure in self.coefficients.items()}


def measure(
    ratings: Ratings,
    categories: int,
    resamples: int = RESAMPLES,
    seed: int = 0,
    *,
    clusters: Sequence[object] | None = None,
    cluster: str = "item",
) -> Agreement:
    """Every coefficient of `ratings` [items, raters], each a category 0 ... `categories` - 1 or `MISSING`.

    Items of one cluster, such as the candidates of an image, are not independent: intervals take `clusters` [items]
    whole. Without it each item is its own. `cluster` is what one is called in reasons. Items and raters without any
    answer are left out. Raises `UsageError` for fewer than 100 resamples and for a negative seed, `ValueError` for a
    rating that is no category.
    """
    check_resampling(resamples, seed)
    if ratings.size and not (ratings.min() >= MISSING and ratings.max() < categories):
        raise ValueError(f"ratings lie outside {MISSING} ... {categories - 1}")
    given = ratings != MISSING
    answered = given.any(axis=1)
    ratings, given = ratings[answered][:, given.any(axis=0)], given[answered]
    items, raters = ratings.shape
    shared = given.sum(axis=1) >= 2
    if reason := _too_little(raters, int(shared.sum())):
        figures = dict.fromkeys(_NAMES, Coefficient(None, None, reason))
    else:
        ids = range(len(answered)) if clusters is None else clusters
        groups = _numbered([one for one, has_answer in zip(ids, answered, strict=True) if has_answer])
        figures = _figures(ratings, categories, groups, shared, _Drawing(resamples, seed, cluster))
    answers = int(given.sum())
    return Agreement(items, int(shared.sum()), raters, answers, items * raters - answers, figures)


def raw_interval(agreeing: Floats, clusters: NDArray[np.intp], pairs: float) -> tuple[float, float]:
    """The 95 % interval of raw agreement: of the mean of `agreeing` [items], shares 0 to 1.

    `clusters` [items] are two or more; `pairs` of raters answered the same item, over all items.

    Wilson's interval (1927, Journal of the American Statistical Association 22(158)), which keeps a width where all
    agree, with the number of independent pairs that would vary as much as these do between clusters, at most all of
    them (Korn and Graubard 1998, Survey Methodology 24(2)). Where nothing varies nothing tells how much the items of a
    cluster repeat each other, so each cluster counts as one.
    """
    value, items = float(agreeing.mean()), len(agreeing)
    inside = np.bincount(clusters, weights=agreeing - value)
    present = len(np.unique(clusters))
    variance = present / (present - 1) * float((inside**2).sum()) / items**2
    size = min(pairs, value * (1 - value) / variance) if variance > _ZERO else present
    middle, around = value + _Z**2 / (2 * size), _Z * (value * (1 - value) / size + _Z**2 / (4 * size**2)) ** 0.5
    low, high = ((middle + sign * around) / (1 + _Z**2 / size) for sign in (-1, 1))
    return max(low, 0.0), min(high, 1.0)


_Statistic = Callable[[Floats, Floats], Floats]
_FOR_ALL: Final[Mapping[str, _Statistic]] = {"fleiss": fleiss_kappa, "alpha": krippendorff_alpha, "ac1": gwet_ac1}
_NAMES: Final = ("raw", "cohen", *_FOR_ALL)


@dataclass(frozen=True)
class _Drawing:
    resamples: int
    seed: int
    cluster: str


def _figures(
    ratings: Ratings, categories: int, clusters: NDArray[np.intp], shared: NDArray[np.bool_], drawing: _Drawing
) -> dict[str, Coefficient]:
    raters = ratings.shape[1]
    profiles, place = _profiles(ratings, categories)
    counts, statistics = _statistics(profiles, categories, raters)
    numbers = np.bincount(place).astype(float)
    values = {name: float(statistic(counts, numbers)) for name, statistic in statistics.items()}
    agreeing = np.array([float(raw_agreement(counts[[one]], np.ones(1))) for one in range(len(counts))])[place[shared]]
    several = len(np.unique(clusters[shared]))
    raw, drawn = None, {name: np.empty(0) for name in statistics}
    if several >= FEWEST_FOR_INTERVAL:
        raters_of = counts[place[shared]].sum(axis=1)
        raw = raw_interval(agreeing, clusters[shared], float((raters_of * (raters_of - 1)).sum() / 2))
        blocks = list(_resampled(place, clusters, drawing))
        drawn = {name: np.concatenate([s(counts, block) for block in blocks]) for name, s in statistics.items()}
    few = None if raw else _too_few(several, drawing.cluster)
    figures = {name: _coefficient(values[name], drawn[name], few) for name in statistics}
    return {
        "raw": Coefficient(float(agreeing.mean()), raw, few),
        "cohen": Coefficient(None, None, f"it is of two annotators, and {raters} answered"),
        **figures,
    }


def _statistics(profiles: NDArray[Any], categories: int, raters: int) -> tuple[Floats, dict[str, _Statistic]]:
    """How often each category was chosen in a profile, and what is resampled, by name."""
    if raters != 2:
        return profiles.astype(float), dict(_FOR_ALL)
    chosen = profiles[:, :, None] == np.arange(categories)
    cells = (chosen[:, 0, :, None] & chosen[:, 1, None, :]).reshape(len(profiles), -1).astype(float)

    def cohen(_counts: Floats, weights: Floats) -> Floats:
        return cohen_kappa((weights @ cells).reshape(*weights.shape[:-1], categories, categories))

    return chosen.sum(axis=1).astype(float), {"cohen": cohen, **_FOR_ALL}


def _profiles(ratings: Ratings, categories: int) -> tuple[NDArray[Any], NDArray[np.intp]]:
    """The distinct profiles [profiles, ...] and which one each item has; of two raters, what each of them said."""
    if ratings.shape[1] != 2:
        ratings = np.stack([(ratings == category).sum(axis=1) for category in range(categories)], axis=1)
    profiles, place = np.unique(ratings, axis=0, return_inverse=True)
    return profiles, place.reshape(-1)


def _resampled(place: NDArray[np.intp], clusters: NDArray[np.intp], drawing: _Drawing) -> Iterator[Floats]:
    """Numbers of items by profile in resamples, [some resamples, profiles] at a time: clusters drawn with replacement.

    Clusters with the same numbers of each profile are alike: how often each sort is drawn is all that matters.
    """
    held = np.zeros((int(clusters.max()) + 1, int(place.max()) + 1), np.int32)
    np.add.at(held, (clusters, place), 1)
    sorts, numbers = np.unique(held, axis=0, return_counts=True)
    generator, total = np.random.default_rng(drawing.seed), int(numbers.sum())
    most = max(1, _CELLS // max(sorts.shape))
    for begin in range(0, drawing.resamples, most):
        block = min(most, drawing.resamples - begin)
        yield generator.multinomial(total, numbers / total, size=block).astype(float) @ sorts.astype(float)


def _coefficient(value: float, drawn: Floats, few: str | None) -> Coefficient:
    if np.isnan(value):
        return Coefficient(None, None, "all of them chose the same category, so chance alone explains it")
    if few:
        return Coefficient(value, None, few)
    undefined = np.isnan(drawn)
    if undefined.mean() > MOST_UNDEFINED:
        return Coefficient(value, None, f"{undefined.mean():.0%} of the resamples have no value, so no interval")
    if np.ptp(drawn[~undefined]) < _ZERO:
        return Coefficient(value, None, "it is the same in all resamples, which so tell no interval")
    low, high = interval_of(drawn[~undefined])
    return Coefficient(value, (low, high), None)


def _too_little(raters: int, shared: int) -> str | None:
    if raters < 2:
        return "nobody answered" if raters == 0 else "only one person answered"
    if shared < FEWEST_ITEMS:
        return f"{shared or 'no'} item{'' if shared == 1 else 's'} with two answers: {FEWEST_ITEMS} are needed"
    return None


def _too_few(clusters: int, cluster: str) -> str:
    many = "" if clusters == 1 else "s"
    return f"{clusters} {cluster}{many} with two answers: too few for an interval, which needs {FEWEST_FOR_INTERVAL}"


def _numbered(clusters: Sequence[object]) -> NDArray[np.intp]:
    """Clusters as numbers from 0."""
    number: dict[object, int] = {}
    return np.array([number.setdefault(one, len(number)) for one in clusters], np.intp)
