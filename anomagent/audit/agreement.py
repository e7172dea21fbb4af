"""Whether two assessors rank generators alike: rank correlations of two audits, or an audit and a published table."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.errors import UsageError
from anomagent.statistics.resampling import scipy_stats

COMPARED: tuple[str, ...] = ("mai", "af", "cap_mean", "cap_of_means")
"""The measures on which assessors are compared."""
FEWEST = 3
"""Common generators below which an order says nothing."""
_EXACT_UP_TO = 8
"""Generators up to which Spearman's p-value is counted over all orders; the usual approximation is far off there."""
_PUBLISHED = {"mai": "MAI", "af": "AF", "cap_of_means": "CAP"}

Measures = Mapping[str, Mapping[str, float]]
"""By generator, its measures by name."""


def audited_measures(audit: Mapping[str, Any]) -> dict[str, dict[str, float]]:
    """The measures in an audit's JSON; those that it could not take are left out.

    Raises `UsageError` where it is no audit.
    """
    try:
        return {
            str(entry["generator"]): {name: float(entry[name]) for name in COMPARED if entry[name] is not None}
            for entry in audit["generators"]
        }
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(f"this is no result of an audit ({error!r}); give the JSON that an audit wrote") from error


def published_measures(rows: Measures, assessor: str) -> dict[str, dict[str, float]]:
    """The measures that `assessor` ("AnomReasonor" or "AnomAgent") gave in the published Table 3.

    `rows` has the columns by name, as "AnomAgent_MAI". The published CAP is the product of the means (`measures`), so
    it is compared as `cap_of_means`. Raises `UsageError` for an assessor who is not in the table.
    """
    try:
        return {
            name: {measure: float(row[f"{assessor}_{column}"]) for measure, column in _PUBLISHED.items()}
            for name, row in rows.items()
        }
    except KeyError as error:
        raise UsageError(f"the published table has no column {error.args[0]!r}; choose another assessor") from error


def agreement(a: Measures, b: Measures) -> dict[str, Any]:
    """Rank agreement of two assessors over the generators that both have, as JSON.

    `measures` gives, for each measure that both took of a generator, `n`, `spearman` and `kendall` (tau-b), each as
    {"coefficient", "p_value"}: 1 is the same order, -1 the reverse. Both are None, for the `reason`, where fewer than
    three generators have it, or one assessor gives all of them the same value. p-values are two-sided.
    """
    common = sorted(a.keys() & b.keys())
    return {
        "generators": common,
        "only_a": sorted(a.keys() - b.keys()),
        "only_b": sorted(b.keys() - a.keys()),
        "measures": {measure: _compare(measure, common, a, b) for measure in COMPARED},
    }


def _compare(measure: str, common: Sequence[str], a: Measures, b: Measures) -> dict[str, Any]:
    names = [name for name in common if measure in a[name] and measure in b[name]]
    x = np.array([a[name][measure] for name in names], dtype=np.float64)
    y = np.array([b[name][measure] for name in names], dtype=np.float64)
    result: dict[str, Any] = {"n": len(names), "spearman": None, "kendall": None, "reason": _obstacle(x, y)}
    if result["reason"] is None:
        result |= {"spearman": _spearman(x, y), "kendall": _kendall(x, y)}
    return result


def _obstacle(x: NDArray[np.float64], y: NDArray[np.float64]) -> str | None:
    if len(x) < FEWEST:
        return f"{len(x)} generators in common; an order needs {FEWEST}"
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        return "a value is not a finite number"
    if np.ptp(x) == 0 or np.ptp(y) == 0:
        return "an assessor gives all generators the same value"
    return None


def _spearman(x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, float]:
    result = scipy_stats().spearmanr(x, y)
    p_value = result.pvalue if len(x) > _EXACT_UP_TO else _exact_p(x, y)
    return {"coefficient": float(result.statistic), "p_value": float(p_value)}


def _exact_p(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Over all orders of the generators. The ranks' scalar product orders them as the coefficient does."""
    stats = scipy_stats()
    ranks: NDArray[np.float64] = stats.rankdata(y)

    def product(values: NDArray[np.float64], axis: int = -1) -> NDArray[np.float64]:
        return (values * ranks).sum(axis=axis)

    result = stats.permutation_test(
        (stats.rankdata(x),), product, permutation_type="pairings", vectorized=True, n_resamples=math.inf
    )
    return result.pvalue


def _kendall(x: NDArray[np.float64], y: NDArray[np.float64]) -> dict[str, float]:
    result = scipy_stats().kendalltau(x, y)
    return {"coefficient": float(result.statistic), "p_value": float(result.pvalue)}
