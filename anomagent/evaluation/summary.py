"""An evaluation in figures: SemAP and SemF1 over images (macro), pooled counts (micro), curves over thresholds."""

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomagent.errors import UsageError
from anomagent.evaluation.measures import rates
from anomagent.evaluation.pairing import Pairing
from anomagent.evaluation.pairs import VIEWS
from anomagent.evaluation.scores import Scores

CURVE_THRESHOLDS: Final = tuple(round(0.5 + 0.05 * step, 2) for step in range(10))
"""0.5, 0.55, ... 0.95: where `curve_rows` is usually asked for."""


class CurveRow(NamedTuple):
    """One point of a threshold curve."""

    threshold: float
    view: str
    SemAP: float
    SemF1: float


def summarise(scores: Scores, pairing: Pairing, backbone: str, layer: int | None) -> dict[str, Any]:
    """All figures as plain Python values, never NaN; `backbone` and `layer` say what the similarity was made with.

    `SemAP` and `SemF1` average over thresholds, then over images; `by_threshold` only over images; `micro` pools
    the counts of all images. Raises `UsageError` where no image is left to average over.
    """
    return {
        "protocol": scores.rules.protocol,
        "rank_by": scores.rules.rank_by,
        "thresholds": list(scores.rules.thresholds),
        "backbone": backbone,
        "layer": layer,
        "images": int(scores.counted.sum()),
        "empty": describe_empty(scores),
        "missing": describe_missing(pairing),
        "failures": [{"image": image, "reason": reason} for image, reason in pairing.failures.items()],
        "partial": [{"image": image, "reason": reason} for image, reason in pairing.partial.items()],
        "bad_entries": {"predictions": pairing.bad_predictions, "ground_truth": pairing.bad_ground_truth},
        **macro_means(scores),
        "by_threshold": _by_threshold(scores),
        "micro": _micro(scores),
    }


def macro_means(scores: Scores, chosen: NDArray[np.bool_] | None = None) -> dict[str, dict[str, float]]:
    """SemAP and SemF1 by view, over the counted images among `chosen` [images] (default: all).

    Raises `UsageError` where there is none.
    """
    among = _some(scores.counted if chosen is None else scores.counted & chosen)
    return {name: _by_view(values[among].mean(axis=0)) for name, values in scores.macro().items()}


def describe_empty(scores: Scores) -> dict[str, Any]:
    """How many images had an empty side, and the rule for those that had two."""
    no_predictions, no_ground_truth = scores.n_predictions == 0, scores.n_ground_truth == 0
    return {
        "rule": scores.rules.empty,
        "both": int(scores.both_empty.sum()),
        "predictions": int((no_predictions & ~no_ground_truth).sum()),
        "ground_truth": int((no_ground_truth & ~no_predictions).sum()),
        "left_out": int((~scores.counted).sum()),
    }


def describe_missing(pairing: Pairing) -> dict[str, Any]:
    """How many images were on one side only, or on none though the split names them, and the rule for them."""
    return {
        "rule": pairing.missing,
        "only_predictions": len(pairing.only_predictions),
        "only_ground_truth": len(pairing.only_ground_truth),
        "only_split": len(pairing.only_split),
        "failed": len(pairing.failures),
    }


def curve_rows(scores: Scores) -> list[CurveRow]:
    """SemAP and SemF1 over images at each threshold of `scores`: score at `CURVE_THRESHOLDS` for a whole curve."""
    return [
        CurveRow(float(threshold), view, figures["SemAP"], figures["SemF1"])
        for threshold, by_view in _by_threshold(scores).items()
        for view, figures in by_view.items()
    ]


def _by_threshold(scores: Scores) -> dict[str, dict[str, dict[str, float]]]:
    arrays = {"SemAP": scores.ap, "SemF1": scores.f1, "precision": scores.precision, "recall": scores.recall}
    among = _some(scores.counted)
    means = {name: values[among].mean(axis=0) for name, values in arrays.items()}
    return {
        str(float(threshold)): {
            view: {name: float(values[number, column]) for name, values in means.items()}
            for number, view in enumerate(VIEWS)
        }
        for column, threshold in enumerate(scores.rules.thresholds)
    }


def _micro(scores: Scores) -> dict[str, dict[str, dict[str, float | int]]]:
    predictions, ground_truth = int(scores.n_predictions.sum()), int(scores.n_ground_truth.sum())
    tp: list[list[int]] = scores.tp.sum(axis=0).tolist()
    return {
        str(float(threshold)): {
            view: _pooled(tp[number][column], predictions, ground_truth) for number, view in enumerate(VIEWS)
        }
        for column, threshold in enumerate(scores.rules.thresholds)
    }


def _pooled(tp: int, predictions: int, ground_truth: int) -> dict[str, float | int]:
    precision, recall, f1 = rates(tp, predictions, ground_truth)
    counts = {"TP": tp, "FP": predictions - tp, "FN": ground_truth - tp}
    return {**counts, "precision": precision, "recall": recall, "F1": f1}


def _some(images: NDArray[np.bool_]) -> NDArray[np.bool_]:
    if not images.any():
        raise UsageError("no image to average over: all are empty on both sides, and --empty skip leaves those out")
    return images


def _by_view(values: Sequence[float] | NDArray[np.float64]) -> dict[str, float]:
    return {view: float(value) for view, value in zip(VIEWS, values, strict=True)}
