"""How sure a generator's measures are, by resampling its images, and differences, by resampling pairs."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.audit.measures import MEASURES, summarise
from anomagent.statistics.resampling import interval_of, mean, p_value, resample


@dataclass(frozen=True)
class Estimates:
    """The measures of some rows. None stands for "there is no such number", with the reason."""

    values: dict[str, float] | None
    """By measure; None where there are no rows."""
    intervals: dict[str, list[float]] | None
    """By measure, [low, high]; None where there are fewer than two rows."""
    reason: str | None = None


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
    return Estimates(values, _named(interval_of(resample(tuple(rows.T), _measures, resamples, seed))))


@dataclass(frozen=True)
class Difference:
    """A mean difference between paired values."""

    mean: float
    interval: list[float] | None
    """[low, high], 95 %; None for fewer than two pairs."""
    p_value: float | None
    """Two-sided, that the mean is 0; None for fewer than ten pairs."""


def estimate_difference(differences: NDArray[np.float64], resamples: int, seed: int) -> Difference:
    """The mean of paired differences [n], its 95 % interval and p-value, pairs drawn with replacement."""
    found = float(differences.mean())
    if len(differences) == 1:
        return Difference(found, None, None)
    means = resample((differences,), mean, resamples, seed)
    return Difference(found, interval_of(means), p_value(means, len(differences)))


def _measures(*columns: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    assert axis == -1, axis
    return summarise(np.stack(columns, axis=-1), axis=-2)


def _named(values: list[Any]) -> dict[str, Any]:
    return dict(zip(MEASURES, values, strict=True))
