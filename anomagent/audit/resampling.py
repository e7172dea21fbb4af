"""Confidence intervals of a generator's measures, by resampling its images."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.audit.measures import MEASURES, summarise
from anomagent.errors import UsageError

CONFIDENCE = 0.95
FEWEST_RESAMPLES = 100
"""With fewer, the ends of a 95 % interval are a draw or two."""
_CELLS = 4_000_000
"""Values held at once while resampling."""


@dataclass(frozen=True)
class Estimates:
    """The measures of some rows. None stands for "there is no such number", with the reason."""

    values: dict[str, float] | None
    """By measure; None where there are no rows."""
    intervals: dict[str, list[float]] | None
    """By measure, [low, high]; None where there are fewer than two rows."""
    reason: str | None = None


def check_resampling(resamples: int, seed: int) -> None:
    """Raise `UsageError` for a number of resamples or a seed that cannot work."""
    if resamples < FEWEST_RESAMPLES:
        raise UsageError(f"{resamples} resamples are too few for an interval; use {FEWEST_RESAMPLES} or more")
    if seed < 0:
        raise UsageError(f"seed {seed} is negative; use 0 or more")


def estimate(rows: NDArray[np.float64], resamples: int, seed: int) -> Estimates:
    """The measures of rows [n, 4] (`ImageTable`) and their 95 % percentile intervals, rows drawn with replacement.

    The same numbers for the same rows in any order. Two or more equal rows have the interval [x, x]: nothing varies.
    A single row has none, since what it would show, no spread at all, is not known.
    """
    if len(rows) == 0:
        return Estimates(None, None, "no image was analysed")
    rows = rows[np.lexsort(rows.T)]
    values = _named(summarise(rows).tolist())
    if len(rows) == 1:
        return Estimates(values, None, "a single image gives no interval")
    ends = _ends(_bootstrap(tuple(rows.T), _measures, resamples, seed))
    return Estimates(values, _named(ends))


@dataclass(frozen=True)
class Difference:
    """A mean difference between paired values."""

    mean: float
    interval: list[float] | None
    """[low, high], 95 %; None for fewer than two pairs."""
    p_value: float | None
    """Two-sided, that the mean is 0; None for fewer than two pairs."""


def estimate_difference(differences: NDArray[np.float64], resamples: int, seed: int) -> Difference:
    """The mean of paired differences [n], its 95 % interval and p-value, pairs drawn with replacement.

    The p-value is twice the smaller share of resampled means on either side of 0 (0 itself on both), with one added
    to count and total, so that it is never 0; at most 1.
    """
    mean = float(differences.mean())
    if len(differences) == 1:
        return Difference(mean, None, None)
    means = _bootstrap((differences,), _mean, resamples, seed)
    fewer = min(np.count_nonzero(means <= 0), np.count_nonzero(means >= 0))
    return Difference(mean, _ends(means), min(1.0, 2 * (int(fewer) + 1) / (resamples + 1)))


def scipy_stats() -> Any:
    """`scipy.stats`, which takes long to import and declares no types."""
    from scipy import stats

    return stats


def _ends(distribution: NDArray[np.float64]) -> list[Any]:
    """[..., resamples] to lists of [low, high]."""
    return np.quantile(distribution, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=-1).T.tolist()


def _mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    return values.mean(axis=axis)


def _measures(*columns: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    assert axis == -1, axis
    return summarise(np.stack(columns, axis=-1), axis=-2)


def _bootstrap(samples: tuple[NDArray[np.float64], ...], statistic: Any, resamples: int, seed: int) -> Any:
    """The statistic of each resample, [..., resamples]; the samples are drawn together."""
    result = scipy_stats().bootstrap(
        samples,
        statistic,
        paired=True,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, _CELLS // (len(samples) * len(samples[0]))),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return result.bootstrap_distribution


def _named(values: list[Any]) -> dict[str, Any]:
    return dict(zip(MEASURES, values, strict=True))
