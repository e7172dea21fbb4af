"""The figures by group: by source of the image, or by kind of anomaly."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.measures import rates
from anomagent.evaluation.pairs import VIEWS, Pair
from anomagent.evaluation.scores import Scores
from anomagent.evaluation.summary import macro_means
from anomagent.state.findings import Anomaly

UNKNOWN_SOURCE: Final = "unknown"
"""The group of images whose source is not given."""

KindOf = Callable[[Anomaly], str]


def group_by_source(scores: Scores, sources: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    """SemAP and SemF1 over the images of each source, with how many there are; `sources` maps base names to them.

    A group whose images are all left out (`--empty skip`) has no figures, only its counts.
    """
    named = np.array([sources.get(image, UNKNOWN_SOURCE) for image in scores.images], object)
    groups: dict[str, dict[str, Any]] = {}
    for source in sorted(set(named.tolist())):
        chosen = np.asarray(named == source, np.bool_)
        counted = int((chosen & scores.counted).sum())
        groups[source] = {
            "images": counted,
            "left_out": int(chosen.sum()) - counted,
            "predictions": int(scores.n_predictions[chosen].sum()),
            "ground_truth": int(scores.n_ground_truth[chosen].sum()),
            **(macro_means(scores, chosen) if counted else {}),
        }
    return groups


def group_by_kind(scores: Scores, pairs: Sequence[Pair], kind_of: KindOf) -> dict[str, dict[str, Any]]:
    """Precision, recall and F1 of each kind of anomaly and view, pooled over images and averaged over thresholds.

    Recall: the share of ground truths of the kind that were found, by whatever kind of prediction. Precision: the
    share of predictions of the kind that are right, whatever the kind of their ground truth. F1 is their harmonic
    mean at each threshold. All are 0 where undefined; the counts beside them tell. `pairs` are those of `scores`.
    """
    if tuple(pair.image for pair in pairs) != scores.images:
        raise ValueError("the pairs are not those that were scored")
    predicted = [[kind_of(anomaly) for anomaly in pair.predictions] for pair in pairs]
    true = [[kind_of(anomaly) for anomaly in pair.ground_truth] for pair in pairs]
    said, there = (Counter(kind for kinds in side for kind in kinds) for side in (predicted, true))
    matches = scores.matches
    said_row = np.array([predicted[i][j] for i, j in zip(matches.image, matches.prediction, strict=True)], object)
    there_row = np.array([true[i][j] for i, j in zip(matches.image, matches.ground_truth, strict=True)], object)
    groups: dict[str, dict[str, Any]] = {}
    for kind in sorted(said | there):
        right, found = _hits(scores, said_row == kind), _hits(scores, there_row == kind)
        groups[kind] = {
            "predictions": said[kind],
            "ground_truth": there[kind],
            **{view: _figures(right[n], said[kind], found[n], there[kind]) for n, view in enumerate(VIEWS)},
        }
    return groups


def _hits(scores: Scores, chosen: NDArray[np.bool_]) -> list[list[int]]:
    """[views][thresholds]: true positives among the chosen matches."""
    return [
        [int((scores.matches.hits(view, *level) & chosen).sum()) for level in enumerate(scores.rules.thresholds)]
        for view in range(len(VIEWS))
    ]


def _figures(right: Sequence[int], predictions: int, found: Sequence[int], ground_truth: int) -> dict[str, float]:
    precisions = [rates(tp, predictions, 0).precision for tp in right]
    recalls = [rates(tp, 0, ground_truth).recall for tp in found]
    f1 = [2 * p * r / (p + r) if p + r else 0.0 for p, r in zip(precisions, recalls, strict=True)]
    return {"precision": _mean(precisions), "recall": _mean(recalls), "F1": _mean(f1)}


def _mean(values: Sequence[float]) -> float:
    return sum(values) / len(values)
