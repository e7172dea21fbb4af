"""Our numbers and those of `bert-score` are the same, pair by pair."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from anomagent.evaluation.similarity import Backbone, tokens
from anomagent.evaluation.similarity.embedder import Embedder
from anomagent.evaluation.similarity.matching import match
from tests.evaluation.similarity import tiny
from tests.evaluation.similarity.reference import LAYER, MINILM, Reference, encode

ODD = [
    "",
    " \t\n ",
    "cup",
    "e\u0301cole, école, n\u0303",
    "👩‍👩‍👧 holds a 🫖 and 🇫🇷",
    "一只手有六根手指,杯子悬浮在桌子上方。",
    "יד עם שש אצבעות وكوب عائم",
    "[CLS] a [SEP] b </s> <s> [MASK]",
    "[SEP]",
    "\u200b\u202e\ufeff",
    "a" * 300,
    "reflection " * 700,
]
WORDS = st.lists(st.sampled_from(["A", "hand", "with", "six", "fingers", "no", "cup,", "floats"]), max_size=20)
TEXT = st.one_of(WORDS.map(" ".join), st.text(max_size=40), st.sampled_from(ODD[:-1]))
SIDE = st.lists(TEXT, min_size=1, max_size=4)


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(MINILM, LAYER)


def f1(embedder: Embedder, predictions: list[str], truths: list[str]) -> np.ndarray:
    """Both sides embedded together, each text once."""
    texts = sorted({*predictions, *truths})
    embedded = dict(zip(texts, embedder.embed(embedder.tokenize(texts)), strict=True))
    return match([embedded[text] for text in predictions], [embedded[text] for text in truths])


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(predictions=SIDE, truths=SIDE)
@example(predictions=["A cup.", "A cup."], truths=["A cup.", "", "[SEP]"])
def test_any_texts(minilm: Embedder, reference: Reference, predictions: list[str], truths: list[str]) -> None:
    found = f1(minilm, predictions, truths)
    assert found.shape == (len(predictions), len(truths))
    np.testing.assert_allclose(found, reference.f1(predictions, truths), rtol=0, atol=1e-5)


def test_odd_texts_with_each_other(minilm: Embedder, reference: Reference) -> None:
    np.testing.assert_allclose(f1(minilm, ODD, ODD[:4]), reference.f1(ODD, ODD[:4]), rtol=0, atol=1e-5)
    np.testing.assert_allclose(f1(minilm, ODD[-1:], ODD[4:]), reference.f1(ODD[-1:], ODD[4:]), rtol=0, atol=1e-5)


def test_an_empty_text_resembles_nothing(minilm: Embedder) -> None:
    assert f1(minilm, ["", "  "], ["", "a cup"]).tolist() == [[0, 0], [0, 0]]


def test_a_text_of_nothing_but_weightless_tokens_scores_0(minilm: Embedder) -> None:
    assert f1(minilm, ["[SEP]"], ["a cup"]).tolist() == [[0]]  # 0 / 0, which bert-score turns into 0


def test_a_text_resembles_itself_most(minilm: Embedder) -> None:
    scores = f1(minilm, ["a cup floats"], ["a cup floats", "six fingers"])[0]
    assert scores[0] == pytest.approx(1, abs=1e-6)
    assert scores[1] < 0.9


@pytest.mark.parametrize("family", tiny.FAMILIES)
def test_every_family(family: str, tmp_path: Path) -> None:
    directory = tiny.save(family, tmp_path / f"tiny-{family}")
    embedder, expected = Embedder(Backbone(directory, tiny.LAYER)), Reference(directory, tiny.LAYER)
    texts = [*ODD[:9], "A hand with six fingers holds a cup.", " padded  text ", "reflection " * 90]
    assert [each.ids for each in embedder.tokenize(texts)] == [encode(expected._tokenizer, text) for text in texts]
    np.testing.assert_allclose(f1(embedder, texts, texts), expected.f1(texts, texts), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("family", "space"), [("roberta", " "), ("bert", ""), ("t5", "")])
def test_only_roberta_sees_a_space_in_front(family: str, space: str, tmp_path: Path) -> None:
    embedder = Embedder(Backbone(tiny.save(family, tmp_path), tiny.LAYER))
    raw = embedder._encoder._tokenizer("hand")["input_ids"]
    spaced = embedder._encoder._tokenizer(" hand")["input_ids"]
    (found,) = embedder.tokenize(["hand"])
    assert found.ids == (spaced if space else raw)
    assert (raw != spaced) == bool(space)


def test_weights_of_special_tokens(minilm: Embedder, tmp_path: Path) -> None:
    assert [each.weights.tolist() for each in minilm.tokenize(["a cup", ""])] == [[0, 1, 1, 0], [0, 0]]
    t5 = Embedder(Backbone(tiny.save("t5", tmp_path), tiny.LAYER))
    assert t5.tokenize([""])[0].weights.tolist() == [1]  # </s> counts


def test_a_lone_surrogate_counts_as_a_question_mark(minilm: Embedder) -> None:
    half, mark = minilm.tokenize(["a \ud83d cup", "a ? cup"])
    assert half.ids == mark.ids


def test_the_limit_is_the_smallest_of_tokenizer_model_and_ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "LONGEST", 530)
    limits: dict[str, int] = {}
    for family in ("bert", "roberta", "t5"):
        directory = Path(tiny.save(family, tmp_path / family))
        stated = directory / "tokenizer_config.json"
        unlimited = {
            name: value for name, value in json.loads(stated.read_text()).items() if name != "model_max_length"
        }
        stated.write_text(json.dumps(unlimited))
        embedder = Embedder(Backbone(str(directory), tiny.LAYER))
        short, long = embedder.tokenize(["cup", "mirror " * 700])
        assert (short.truncated, long.truncated) == (False, True)
        assert embedder.embed([long])[0].vectors.shape == (len(long.ids), 32)
        limits[family] = len(long.ids)
    # BERT has 512 positions, RoBERTa 66 of which the first 2 are not for tokens, T5 as many as one likes
    assert limits == {"bert": 512, "roberta": 64, "t5": 530}
