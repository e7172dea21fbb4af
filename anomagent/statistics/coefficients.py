"""Coefficients of agreement beyond chance: for any number of raters, of whom some gave no answer.

All of them depend on an item only through how many raters chose which category (Cohen's kappa: which of the two chose
which). Items that are alike in this have one profile, and every function takes the profiles and how many items have
each: resampling items is then drawing new numbers for the profiles, however many items there are.
"""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

_ZERO: Final = 1e-12


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
