"""How sure the figures are: percentile bootstrap over images, of one system and of the difference between two."""

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.errors import UsageError
from anomagent.evaluation.pairs import VIEWS
from anomagent.evaluation.scores import Scores
from anomagent.statistics.resampling import (
    CONFIDENCE,
    check_resampling,
    interval_of,
    mean,
    no_p_value,
    p_value,
    resample,
)

RESAMPLES: Final = 10_000
_ONE_IMAGE: Final = "one image: there is nothing to resample, the interval is the value itself"


def intervals(scores: Scores, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """95 % confidence intervals [low, high] of SemAP and SemF1 in every view, over the counted images.

    With one image there is nothing to resample: each interval is the value itself and `note` says so. Raises
    `UsageError` for no image, for fewer than 100 resamples, and for a negative seed.
    """
    values = _per_image(scores)[:, scores.counted]
    _check(values.shape[1], resamples, seed)
    limits = interval_of(_resampled_means(values, resamples, seed))
    note = _ONE_IMAGE if values.shape[1] == 1 else None
    return {**_header(values.shape[1], resamples, seed, note), **_by_metric(limits)}


def compare(first: Scores, second: Scores, resamples: int = RESAMPLES, seed: int = 0) -> dict[str, Any]:
    """Paired bootstrap of first - second, on the images that both count: difference, 95 % interval, two-sided p.

    p is that of `p_value`: None for fewer than 10 images, and `note` says so. Raises `UsageError` where the two were
    not scored by the same rules, where they share no image, for fewer than 100 resamples, and for a negative seed.
    """
    if first.rules != second.rules:
        raise UsageError("the two systems were scored by different rules; use one protocol, threshold list and ranking")
    of_first, of_second = _counted_columns(first), _counted_columns(second)
    common = [image for image in of_first if image in of_second]
    _check(len(common), resamples, seed)
    ours = _per_image(first)[:, [of_first[image] for image in common]]
    theirs = _per_image(second)[:, [of_second[image] for image in common]]
    means = _resampled_means(ours - theirs, resamples, seed)
    rows = [
        {"difference": float(difference), "interval": limit, "p": p_value(resampled, len(common))}
        for difference, limit, resampled in zip((ours - theirs).mean(axis=1), interval_of(means), means, strict=True)
    ]
    left_out = {"only_first": len(of_first) - len(common), "only_second": len(of_second) - len(common)}
    said = (_ONE_IMAGE if len(common) == 1 else None, no_p_value(len(common), "image"))
    note = "; ".join(filter(None, said)) or None
    return {**_header(len(common), resamples, seed, note), **left_out, **_by_metric(rows)}


def _per_image(scores: Scores) -> NDArray[np.float64]:
    """[metrics * views, images]"""
    return np.concatenate([values.T for values in scores.macro().values()])


def _counted_columns(scores: Scores) -> dict[str, int]:
    return {image: column for column, image in enumerate(scores.images) if scores.counted[column]}


def _check(images: int, resamples: int, seed: int) -> None:
    if images == 0:
        raise UsageError("there is no image to resample: none is in the means, or the two systems share none")
    check_resampling(resamples, seed)


def _resampled_means(values: NDArray[np.float64], resamples: int, seed: int) -> NDArray[np.float64]:
    """Means [rows, resamples] of `values` [rows, images]; images are drawn together. One image is always itself."""
    if values.shape[1] == 1:
        return np.repeat(values, resamples, axis=1)
    return resample((values,), mean, resamples, seed)


def _header(images: int, resamples: int, seed: int, note: str | None) -> dict[str, Any]:
    return {"confidence": CONFIDENCE, "resamples": resamples, "seed": seed, "images": images, "note": note}


def _by_metric(rows: list[Any]) -> dict[str, dict[str, Any]]:
    """{"SemAP": {view: row}, "SemF1": {view: row}}"""
    count = len(VIEWS)
    return {
        "SemAP": dict(zip(VIEWS, rows[:count], strict=True)),
        "SemF1": dict(zip(VIEWS, rows[count:], strict=True)),
    }
