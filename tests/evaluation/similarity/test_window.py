from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity import Backbone, EmbeddingCache, Scorer
from anomagent.evaluation.similarity.embedder import Embedder
from anomagent.evaluation.similarity.window import Window
from tests.evaluation.similarity.conftest import anomalies

# With [CLS] and [SEP]: phenomenon and reasoning "cup" are one text of 3 tokens, "six hands" and "hands six" two of 4.
CUP, SIX = anomalies(["cup"]), anomalies(["six hands"])


@pytest.fixture
def cache(tiny_bert: Backbone, tmp_path: Path) -> EmbeddingCache:
    """It holds the texts of `SIX`."""
    cache = EmbeddingCache(tmp_path)
    list(Scorer(tiny_bert, cache=cache).similarities([Pair("before.png", CUP, SIX)]))
    return cache


def test_a_text_that_waits_and_is_then_recalled_counts_once(tiny_bert: Backbone, cache: EmbeddingCache) -> None:
    embedder, window = Embedder(tiny_bert), Window()
    window.add(Pair("a.png", SIX, CUP), embedder, cache)
    assert (sorted(window.waiting), window.tokens) == (["cup", "hands six", "six hands"], 3 + 4 + 4)
    window.add(Pair("b.png", CUP, SIX), embedder, cache)
    assert (sorted(window.waiting), sorted(window.embedded)) == (["cup"], ["hands six", "six hands"])
    assert window.tokens == 3 + 4 + 4
    assert window.unsaved == [["cup"]]


def test_a_text_that_is_there_is_recalled_once(tiny_bert: Backbone, cache: EmbeddingCache) -> None:
    embedder, window = Embedder(tiny_bert), Window()
    for image in "ab":
        window.add(Pair(f"{image}.png", CUP, SIX), embedder, cache)
    assert (sorted(window.waiting), window.tokens) == (["cup"], 3 + 4 + 4)


def test_an_image_with_an_empty_side_brings_no_text(tiny_bert: Backbone) -> None:
    window = Window()
    window.add(Pair("a.png", CUP, []), Embedder(tiny_bert), None)
    assert (len(window.pairs), window.waiting, window.tokens) == (1, {}, 0)
