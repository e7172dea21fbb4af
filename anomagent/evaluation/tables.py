"""Rows behind the figures: images at every threshold, matches with their sentences, verdicts, and judged pairs."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from anomagent.evaluation.deepfake import RIGHT, Verdicts
from anomagent.evaluation.judge_report import Judged
from anomagent.evaluation.matches import EVERY_THRESHOLD
from anomagent.evaluation.pairs import VIEWS, Pair
from anomagent.evaluation.scores import Scores
from anomagent.state.findings import Anomaly

Row = tuple[Any, ...]
MatchValues = tuple[int, int, float, float, float]
Columns = dict[str, type]

IMAGE_COLUMNS: Final[Columns] = {
    "image": str,
    "view": str,
    "threshold": float,
    "predictions": int,
    "ground_truth": int,
    "TP": int,
    "FP": int,
    "FN": int,
    "precision": float,
    "recall": float,
    "SemF1": float,
    "SemAP": float,
    "in_means": bool,
}
"""One row for an image, view and threshold; `in_means` is false where `--empty skip` leaves the image out."""

_SENTENCES: Final[Columns] = {"name": str, "phenomenon": str, "reasoning": str, "severity": int}

MATCH_COLUMNS: Final[Columns] = {
    "image": str,
    "view": str,
    "threshold": float,
    "prediction": int,
    "ground_truth": int,
    "similarity": float,
    "phenomenon_similarity": float,
    "reasoning_similarity": float,
    **{f"prediction_{name}": kind for name, kind in _SENTENCES.items()},
    **{f"ground_truth_{name}": kind for name, kind in _SENTENCES.items()},
}
"""One row for a match; then one for each prediction and each ground truth that has none, the other side empty.

`prediction` and `ground_truth` are indices in the image's lists, from 0. `threshold` is empty under the `released`
protocol, which matches once for all thresholds: there a row is a true positive where `similarity` reaches one.
"""

VERDICT_COLUMNS: Final[Columns] = {"image": str, "label": str, "answer": str, "verdict": str, "right": bool}
"""One row for a judged image; `label` is real or ai, `answer` is empty where there is none."""

JUDGED_COLUMNS: Final[Columns] = {
    "image": str,
    "prediction": int,
    "ground_truth": int,
    "same": bool,
    "matched": bool,
    "similarity": float,
}
"""One row for every (prediction, ground truth) that a judge judged, indices from 0; `similarity` is BERTScore Full."""

_NOBODY: Final[Row] = (None,) * len(_SENTENCES)


def image_rows(scores: Scores) -> Iterator[Row]:
    """Rows of `IMAGE_COLUMNS`, in the order of the images, `VIEWS` and the thresholds."""
    for i, image in enumerate(scores.images):
        predictions, ground_truth = int(scores.n_predictions[i]), int(scores.n_ground_truth[i])
        for v, view in enumerate(VIEWS):
            for t, threshold in enumerate(scores.rules.thresholds):
                tp = int(scores.tp[i, v, t])
                counts = predictions, ground_truth, tp, predictions - tp, ground_truth - tp
                measured = (scores.precision, scores.recall, scores.f1, scores.ap)
                values = (float(array[i, v, t]) for array in measured)
                yield image, view, threshold, *counts, *values, bool(scores.counted[i])


def match_rows(scores: Scores, pairs: Sequence[Pair]) -> Iterator[Row]:
    """Rows of `MATCH_COLUMNS`, image by image; `pairs` are those of `scores`."""
    if tuple(pair.image for pair in pairs) != scores.images:
        raise ValueError("the pairs are not those that were scored")
    once = scores.rules.protocol == "released"
    levels = [(EVERY_THRESHOLD, None)] if once else list(enumerate(scores.rules.thresholds))
    for i, pair in enumerate(pairs):
        found = _matches_of(scores, i)
        for v, view in enumerate(VIEWS):
            for t, threshold in levels:
                for values in _lines(pair, found.get((v, t), [])):
                    yield pair.image, view, threshold, *values


def verdict_rows(verdicts: Verdicts) -> Iterator[Row]:
    """Rows of `VERDICT_COLUMNS`, in the order of the labels."""
    for image, label in verdicts.labels.items():
        verdict = verdicts.given[image]
        yield image, label, verdicts.answers.get(image), verdict, verdict == RIGHT[label]


def judged_rows(judged: Iterable[Judged]) -> Iterator[Row]:
    """Rows of `JUDGED_COLUMNS`, image by image; images with an empty side or a failure have none."""
    for image in judged:
        matched = {(match.prediction, match.ground_truth) for match in image.matches}
        for pair in np.ndindex(image.full.shape):
            yield image.pair.image, *pair, pair in image.judgement.same, pair in matched, float(image.full[pair])


def _matches_of(scores: Scores, image: int) -> dict[tuple[int, int], list[MatchValues]]:
    """(prediction, ground truth, three similarities) of each match, by view and threshold index."""
    matches = scores.matches
    rows = matches.of_image(image)
    columns = (matches.prediction, matches.ground_truth, matches.similarity, matches.phenomenon, matches.reasoning)
    values = zip(*(column[rows.start : rows.stop].tolist() for column in columns), strict=True)
    found: dict[tuple[int, int], list[MatchValues]] = {}
    for row, value in zip(rows, values, strict=True):
        found.setdefault((int(matches.view[row]), int(matches.threshold[row])), []).append(value)
    return found


def _lines(pair: Pair, matches: Sequence[MatchValues]) -> Iterator[Row]:
    for match in matches:
        yield *match, *_sentences(pair.predictions[match[0]]), *_sentences(pair.ground_truth[match[1]])
    matched = {match[0] for match in matches}
    for index, anomaly in enumerate(pair.predictions):
        if index not in matched:
            yield index, None, None, None, None, *_sentences(anomaly), *_NOBODY
    matched = {match[1] for match in matches}
    for index, anomaly in enumerate(pair.ground_truth):
        if index not in matched:
            yield None, index, None, None, None, *_NOBODY, *_sentences(anomaly)


def _sentences(anomaly: Anomaly) -> Row:
    return anomaly.name, anomaly.phenomenon, anomaly.reasoning, anomaly.severity
