from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
import torch

from anomagent.evaluation.similarity import matching
from anomagent.evaluation.similarity.embedder import Embedded
from anomagent.evaluation.similarity.matching import match

RIGHT, UP, LEFT = [1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]
SLANT = [0.6, 0.8]


def text(vectors: Sequence[Sequence[float]], weights: Sequence[float]) -> Embedded:
    return Embedded(torch.tensor(vectors), np.array(weights, dtype=np.float32), False)


def test_the_arithmetic_by_hand() -> None:
    prediction = text([RIGHT, UP, SLANT], [1, 1, 0])
    truth = text([SLANT, RIGHT, LEFT], [1, 1, 0])
    # cosines: RIGHT .6 1 -1; UP .8 0 0; SLANT 1 .6 -.6 (rows prediction, columns truth)
    # precision: (1 + .8) / 2 = .9 over RIGHT and UP; recall: (1 + 1) / 2 = 1 over SLANT and RIGHT, where the truth's
    # SLANT meets the weightless SLANT of the prediction. F1 = 2 * .9 * 1 / 1.9
    assert match([prediction], [truth]).item() == pytest.approx(1.8 / 1.9, abs=1e-7)


def test_each_pair_is_on_its_own() -> None:
    texts = [text([RIGHT, UP, SLANT], [0, 1, 1]), text([SLANT], [1]), text([LEFT, UP, RIGHT, SLANT], [1, 1, 1, 1])]
    together = match(texts, texts)
    alone = [[match([left], [right]).item() for right in texts] for left in texts]
    np.testing.assert_allclose(together, alone, atol=1e-7)


@pytest.mark.parametrize(
    "odd",
    [text([RIGHT, UP], [0, 1]), text([RIGHT, UP, UP], [0, 0, 0]), text([[float("nan")] * 2, UP, UP], [1, 1, 1])],
    ids=["two tokens", "no weight", "no direction"],
)
def test_what_has_no_score_scores_0_and_harms_no_other(odd: Embedded) -> None:
    good = text([RIGHT, UP, SLANT], [1, 1, 1])
    np.testing.assert_allclose(match([odd, good], [good, odd]), [[0, 0], [1, 0]], atol=1e-7)


def test_opposite_directions_score_below_0() -> None:
    assert match([text([RIGHT], [1])], [text([LEFT], [1])]).item() == pytest.approx(-1)


def test_large_images_are_compared_in_portions(monkeypatch: pytest.MonkeyPatch) -> None:
    generator = np.random.default_rng(0)
    texts = [text(generator.normal(size=(size, 2)).tolist(), [1] * size) for size in (3, 1, 5, 4)]
    whole = match(texts, texts)
    monkeypatch.setattr(matching, "_LARGEST", 13 * 4)  # 13 columns: 4 tokens of predictions at a time
    np.testing.assert_allclose(match(texts, texts), whole, atol=1e-6)


def test_empty_sides_keep_their_shape() -> None:
    one = text([RIGHT], [1])
    assert [match([], [one]).shape, match([one], []).shape, match([], []).shape] == [(0, 1), (1, 0), (0, 0)]
