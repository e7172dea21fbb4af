"""The percentile bootstrap: figures of resamples, drawn with replacement, their interval and their p-value."""

from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.errors import UsageError

CONFIDENCE: Final = 0.95
FEWEST_RESAMPLES: Final = 100
"""With fewer, the ends of a 95 % interval are a draw or two."""
FEWEST_FOR_P: Final = 10
"""Images or prompts below which there is no p-value.

Resamples of few units repeat each other: two that both favour one side give it in every resample, so the p-value would
fall with the number of resamples, where an exact sign test cannot go below 2 / 2^2. Of ten units it gets to 2 / 2^10.
"""
_CELLS: Final = 4_000_000
"""Values held at a time: 32 MB of them, however many units there are."""
_ZERO: Final = 1e-12
"""Means of differences below this are rounding."""


def check_resampling(resamples: int, seed: int) -> None:
    """Raise `UsageError` for a number of resamples or a seed that cannot work."""
    if resamples < FEWEST_RESAMPLES:
        raise UsageError(f"{resamples} resamples are too few for a 95 % interval; use {FEWEST_RESAMPLES} or more")
    if seed < 0:
        raise UsageError(f"seed {seed} is negative; use 0 or more")


def resample(samples: tuple[NDArray[np.float64], ...], statistic: Any, resamples: int, seed: int) -> Any:
    """The statistic of each resample, [..., resamples]: float64.

    Each of `samples` is [..., units], two units or more; all are drawn together, so that what belongs to one unit
    stays together. `statistic` takes as many arrays and `axis`, along which it reduces the units.
    """
    result: Any = scipy_stats().bootstrap(
        samples,
        statistic,
        paired=True,
        axis=-1,
        vectorized=True,
        n_resamples=resamples,
        batch=max(1, min(resamples, _CELLS // sum(sample.size for sample in samples))),
        confidence_level=CONFIDENCE,
        method="percentile",
        rng=np.random.default_rng(seed),
    )
    return result.bootstrap_distribution


def mean(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
    """The statistic of most figures."""
    return values.mean(axis=axis)


def interval_of(distribution: NDArray[np.float64]) -> list[Any]:
    """The 95 % percentile interval of resampled figures [..., resamples], as nested lists [...][low, high]."""
    ends = np.quantile(distribution, [(1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2], axis=-1)
    return np.moveaxis(ends, 0, -1).tolist()


def p_value(means: NDArray[np.float64], units: int) -> float | None:
    """Two-sided, that the mean difference of `units` is 0, from its resampled `means` [resamples].

    Twice the smaller share of means at or across 0, with one added to count and total, so that it is never 0; at most
    1. None where `no_p_value` says why.
    """
    if no_p_value(units, "unit"):
        return None
    across = min(int((means <= _ZERO).sum()), int((means >= -_ZERO).sum()))
    return min(1.0, 2 * (1 + across) / (len(means) + 1))


def no_p_value(units: int, unit: str) -> str | None:
    """Why there is no p-value for so many of `unit`, such as "image"; None where there is one."""
    if units >= FEWEST_FOR_P:
        return None
    return f"{units} {unit}{'' if units == 1 else 's'}: too few for a p-value, which needs {FEWEST_FOR_P}"


def scipy_stats() -> Any:
    """`scipy.stats`, which takes long to import and declares no types."""
    return import_module("scipy.stats")
