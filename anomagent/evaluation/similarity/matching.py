# pyright: basic
"""BERTScore F1 of every prediction with every ground truth of an image, from their token vectors."""

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.similarity.embedder import Embedded

_LARGEST = 2**24
"""Cosines held at a time; a usual image has 60,000."""


def match(predictions: Sequence[Embedded], ground_truth: Sequence[Embedded]) -> NDArray[np.float64]:
    """F1 [predictions, ground truths] without idf and without baseline.

    Precision is the mean, over a prediction's tokens of weight 1, of the best cosine with any token of the ground
    truth; recall the same the other way round. Special tokens have weight 0 and can still be the best. A text of
    exactly two tokens, which is what an empty one has where there are [CLS] and [SEP], and an undefined F1 give 0.
    Each pair is scored as if it were alone: the padding of others in a batch, which counts as a cosine of 0 in
    `bert-score` and shows where all cosines are negative, plays no part.
    """
    if not predictions or not ground_truth:
        return np.zeros((len(predictions), len(ground_truth)))
    columns = sum(len(each.weights) for each in ground_truth)
    return np.concatenate([_match(some, ground_truth) for some in _portions(predictions, _LARGEST // columns)])


def _match(predictions: Sequence[Embedded], ground_truth: Sequence[Embedded]) -> NDArray[np.float64]:
    cosines = _cosines(predictions, ground_truth)
    rows, columns = _starts(predictions), _starts(ground_truth)
    best_truth = np.maximum.reduceat(cosines, columns, axis=1)  # [tokens of the predictions, ground truths]
    best_prediction = np.maximum.reduceat(cosines, rows, axis=0)  # [predictions, tokens of the ground truths]
    with np.errstate(invalid="ignore", divide="ignore"):
        precision = np.add.reduceat(best_truth * _shares(predictions)[:, None], rows, axis=0)
        recall = np.add.reduceat(best_prediction * _shares(ground_truth), columns, axis=1)
        f1 = 2 * precision * recall / (precision + recall)
    f1[_are_empty(predictions)] = 0
    f1[:, _are_empty(ground_truth)] = 0
    f1[np.isnan(f1)] = 0
    return f1


def _cosines(predictions: Sequence[Embedded], ground_truth: Sequence[Embedded]) -> NDArray[np.float32]:
    """[tokens of the predictions, tokens of the ground truths], always multiplied in 32 bits."""
    import torch

    left = torch.cat([each.vectors for each in predictions]).float()
    right = torch.cat([each.vectors for each in ground_truth]).float()
    return (left @ right.T).cpu().numpy()


def _starts(texts: Sequence[Embedded]) -> NDArray[np.intp]:
    """Where each text's tokens begin."""
    return np.cumsum([0, *(len(each.weights) for each in texts[:-1])])


def _shares(texts: Sequence[Embedded]) -> NDArray[np.float64]:
    """[tokens] weights that add up to 1 in each text; NaN in one that has no weight at all."""
    return np.concatenate([each.weights.astype(np.float64) / each.weights.sum() for each in texts])


def _are_empty(texts: Sequence[Embedded]) -> NDArray[np.bool_]:
    return np.array([len(each.weights) == 2 for each in texts])


def _portions(texts: Sequence[Embedded], most: int) -> Iterator[list[Embedded]]:
    """Runs of texts of at most `most` tokens, or a single text."""
    portion: list[Embedded] = []
    tokens = 0
    for each in texts:
        if portion and tokens + len(each.weights) > most:
            yield portion
            portion, tokens = [], 0
        portion.append(each)
        tokens += len(each.weights)
    yield portion
