"""How sure the figures are: percentile bootstrap over images, of one system and of the difference between two."""

from importlib import import_module
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.errors import UsageError
from anomagent.evaluation.pairs import VIEWS
from anomagent.evaluation.scores import Scores

CONFIDENCE: Final = 0.95
RESAMPLES: Final = 10_000
_BATCH_CELLS: Final = 10_000_000
"""Numbers drawn at a time: 80 MB of them, however many images there are."""
_ZERO: Final = 1e-12
"""Means of differences below this are rounding."""


def intervals(scores: Scores, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """95 % confidence intervals [low, high] of SemAP and SemF1 in every view, over the counted images.

    With one image there is nothing to resample: each interval is the value itself and `note` says so. Raises
    `UsageError` for no image and for fewer than 100 resamples.
    """
    values = _per_image(scores)[:, scores.counted]
    _check(values.shape[1], resamples)
    limits, _ = _bootstrap(values, resamples, seed)
    return {**_header(values.shape[1], resamples, seed), **_by_metric(limits)}


def compare(first: Scores, second: Scores, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Paired bootstrap of first - second, on the images that both count: difference, 95 % interval, two-sided p.

    p is twice the share of resampled differences at or across 0, with one added above and below the line, at most
    1: 2 (1 + k) / (resamples + 1). Raises `UsageError` where the two were not scored by the same rules, where they
    share no image, and for fewer than 100 resamples.
    """
    if first.rules != second.rules:
        raise UsageError("the two systems were scored by different rules; use one protocol, threshold list and ranking")
    of_first, of_second = _counted_columns(first), _counted_columns(second)
    common = [image for image in of_first if image in of_second]
    _check(len(common), resamples)
    ours = _per_image(first)[:, [of_first[image] for image in common]]
    theirs = _per_image(second)[:, [of_second[image] for image in common]]
    limits, means = _bootstrap(ours - theirs, resamples, seed)
    rows = [
        {"difference": float(difference), "interval": limit, "p": _two_sided(resampled)}
        for difference, limit, resampled in zip((ours - theirs).mean(axis=1), limits, means, strict=True)
    ]
    left_out = {"only_first": len(of_first) - len(common), "only_second": len(of_second) - len(common)}
    return {**_header(len(common), resamples, seed), **left_out, **_by_metric(rows)}


def _per_image(scores: Scores) -> NDArray[np.float64]:
    """[metrics * views, images]"""
    return np.concatenate([values.T for values in scores.macro().values()])


def _counted_columns(scores: Scores) -> dict[str, int]:
    return {image: column for column, image in enumerate(scores.images) if scores.counted[column]}


def _check(images: int, resamples: int) -> None:
    if images == 0:
        raise UsageError("there is no image to resample: none is in the means, or the two systems share none")
    if resamples < 100:
        raise UsageError(f"{resamples} resamples say nothing about 95 %; ask for 100 or more, better {RESAMPLES}")


def _bootstrap(values: NDArray[np.float64], resamples: int, seed: int) -> tuple[list[list[float]], NDArray[np.float64]]:
    """Limits [rows][2] and resampled means [rows, resamples] of `values` [rows, images]; images are drawn together."""
    rows, images = values.shape
    if images == 1:
        return np.repeat(values, 2, axis=1).tolist(), np.repeat(values, resamples, axis=1)
    stats: Any = import_module("scipy.stats")  # slow to load, and no type information
    result: Any = stats.bootstrap(
        (values,),
        np.mean,
        axis=1,
        vectorized=True,
        method="percentile",
        confidence_level=CONFIDENCE,
        n_resamples=resamples,
        batch=max(1, min(resamples, _BATCH_CELLS // (rows * images))),
        rng=np.random.default_rng(seed),
    )
    low, high = result.confidence_interval
    return np.stack([low, high], axis=1).tolist(), result.bootstrap_distribution


def _two_sided(resampled: NDArray[np.float64]) -> float:
    across = min(int((resampled <= _ZERO).sum()), int((resampled >= -_ZERO).sum()))
    return min(1.0, 2 * (1 + across) / (len(resampled) + 1))


def _header(images: int, resamples: int, seed: int) -> dict[str, Any]:
    note = "one image: there is nothing to resample, the interval is the value itself" if images == 1 else None
    return {"confidence": CONFIDENCE, "resamples": resamples, "seed": seed, "images": images, "note": note}


def _by_metric(rows: list[Any]) -> dict[str, dict[str, Any]]:
    """{"SemAP": {view: row}, "SemF1": {view: row}}"""
    count = len(VIEWS)
    return {
        "SemAP": dict(zip(VIEWS, rows[:count], strict=True)),
        "SemF1": dict(zip(VIEWS, rows[count:], strict=True)),
    }
