from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch

from anomagent.errors import UsageError
from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity import Backbone, Scorer, measure_precision, window
from anomagent.evaluation.similarity.embedder import Embedder
from tests.evaluation.similarity.conftest import PHRASES, anomalies
from tests.evaluation.similarity.reference import LAYER, MINILM, Reference


def scores(scorer: Scorer, pairs: list[Pair]) -> list[np.ndarray]:
    return [np.stack([each.phenomenon, each.reasoning]) for each in scorer.similarities(pairs)]


def test_both_fields_of_every_image_in_order(tiny_bert: Backbone, pairs: list[Pair]) -> None:
    reference = Reference(tiny_bert.name, tiny_bert.depth)
    found = list(Scorer(tiny_bert).similarities(pairs))
    assert len(found) == len(pairs)
    for pair, similarity in zip(pairs, found, strict=True):
        for field in ("phenomenon", "reasoning"):
            left, right = ([getattr(each, field) for each in side] for side in (pair.predictions, pair.ground_truth))
            matrix = getattr(similarity, field)
            assert matrix.shape == (len(left), len(right))
            assert matrix.dtype == np.float64
            if left:
                np.testing.assert_allclose(matrix, reference.f1(left, right), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("window_tokens", "batch_tokens"), [(1, 1), (1, 2048), (60, 40), (10**6, 10**6)])
def test_windows_and_batches_change_nothing(
    tiny_bert: Backbone, pairs: list[Pair], window_tokens: int, batch_tokens: int
) -> None:
    usual = scores(Scorer(tiny_bert), pairs)
    other = scores(Scorer(tiny_bert, window_tokens=window_tokens, batch_tokens=batch_tokens), pairs)
    for a, b in zip(usual, other, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)


def test_pairs_are_read_window_by_window(tiny_bert: Backbone, pairs: list[Pair]) -> None:
    read: list[str] = []

    def reading() -> Iterator[Pair]:
        for pair in pairs:
            read.append(pair.image)
            yield pair

    found = Scorer(tiny_bert, window_tokens=1).similarities(reading())
    next(found)
    assert read == ["0.png"]
    assert len(list(found)) == 4


def test_each_text_is_embedded_once(tiny_bert: Backbone, monkeypatch: pytest.MonkeyPatch) -> None:
    embedded: list[int] = []
    embed = Embedder.embed
    monkeypatch.setattr(Embedder, "embed", lambda self, texts: embedded.append(len(texts)) or embed(self, texts))
    twice = anomalies([PHRASES[0], PHRASES[1], PHRASES[0]])
    list(Scorer(tiny_bert).similarities([Pair("a", twice, twice), Pair("b", twice[:1], twice)]))
    assert embedded == [4]  # two phenomena and two reasonings


def test_progress_counts_images(tiny_bert: Backbone, pairs: list[Pair]) -> None:
    done: list[int] = []
    list(Scorer(tiny_bert, window_tokens=50).similarities(pairs, done.append))
    assert done == [1, 2, 3, 4, 5]


def test_no_images(tiny_bert: Backbone) -> None:
    assert list(Scorer(tiny_bert).similarities([])) == []


def test_truncated_texts_are_counted_by_image() -> None:
    scorer = Scorer(Backbone(MINILM, 1))
    long = anomalies(["cup " * 600])  # read backwards it is the same but for the last space
    short = anomalies([PHRASES[0]])
    scores(scorer, [Pair("a", long, short), Pair("b", long, long), Pair("c", long, [])])
    assert scorer.truncated == 4


def test_an_image_beyond_all_measure_is_refused(
    tiny_bert: Backbone, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(window, "IMAGE_TOKENS", 100)
    with pytest.raises(UsageError, match=r"^0\.png: its anomalies have 1\d\d tokens of text, more than 100; shorten"):
        list(Scorer(tiny_bert).similarities(pairs))


def test_threads_are_set_for_the_work_only(
    tiny_bert: Backbone, pairs: list[Pair], monkeypatch: pytest.MonkeyPatch
) -> None:
    before, asked = torch.get_num_threads(), list[int]()
    monkeypatch.setattr(torch, "set_num_threads", asked.append)
    found = Scorer(tiny_bert, threads=before + 1).similarities(pairs)
    next(found)
    assert asked[:2] == [before + 1, before]
    assert asked[-1] == before
    asked.clear()
    list(Scorer(tiny_bert).similarities(pairs))
    assert set(asked) <= {before}


def test_bf16_moves_little_and_says_how_much(pairs: list[Pair]) -> None:
    backbone = Backbone(MINILM, LAYER, precision="bf16")
    effect = measure_precision(backbone, pairs)
    assert effect.comparisons == 2 * (6 + 6 + 1 + 4)
    assert 0 < effect.mean < effect.largest < 5e-3
    exact, short = (scores(Scorer(replace(backbone, precision=name)), pairs) for name in ("fp32", "bf16"))
    differences = np.concatenate([np.abs(a - b).ravel() for a, b in zip(exact, short, strict=True)])
    assert effect.largest == pytest.approx(differences.max(), abs=1e-3)


@pytest.mark.parametrize(("images", "most", "comparisons"), [(1, 500, 12), (9, 12, 24), (9, 1, 2), (0, 500, 0)])
def test_the_sample_is_bounded(
    tiny_bert: Backbone, pairs: list[Pair], images: int, most: int, comparisons: int
) -> None:
    effect = measure_precision(tiny_bert, pairs, images=images, most=most)
    assert effect.comparisons == comparisons
    assert effect.largest >= effect.mean >= 0
