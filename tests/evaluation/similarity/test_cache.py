from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity import Backbone, EmbeddingCache, Scorer, default_directory
from anomagent.evaluation.similarity import cache as module
from anomagent.evaluation.similarity.embedder import Embedder
from anomagent.evaluation.similarity.tokens import Tokens
from tests.evaluation.similarity.conftest import PHRASES, anomalies


@pytest.fixture
def forwards(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Texts in each call of the model."""
    calls: list[int] = []
    forward = Embedder._forward

    def count(self: Embedder, batch: list[list[int]]) -> list[object]:
        calls.append(len(batch))
        return forward(self, batch)

    monkeypatch.setattr(Embedder, "_forward", count)
    return calls


@pytest.fixture
def same() -> list[Pair]:
    """Images whose predictions are their ground truth, so that a cache holds all that is needed."""
    sides = [anomalies(PHRASES[:3]), anomalies(PHRASES[3:])]
    return [Pair(f"{number}.png", side, side) for number, side in enumerate(sides)]


def run(backbone: Backbone, pairs: list[Pair], cache: EmbeddingCache | None) -> list[np.ndarray]:
    found = Scorer(backbone, cache=cache).similarities(pairs)
    return [np.stack([each.phenomenon, each.reasoning]) for each in found]


def files(directory: Path) -> list[Path]:
    return sorted(directory.rglob("*.safetensors"))


def assert_equal(left: list[np.ndarray], right: list[np.ndarray]) -> None:
    for a, b in zip(left, right, strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_a_hit_gives_the_same_without_the_model(
    tiny_bert: Backbone, same: list[Pair], tmp_path: Path, forwards: list[int], precision: str
) -> None:
    backbone = replace(tiny_bert, precision=precision)
    first = run(backbone, same, EmbeddingCache(tmp_path))
    assert len(files(tmp_path)) == 2
    assert forwards
    forwards.clear()
    assert_equal(run(backbone, same, EmbeddingCache(tmp_path)), first)
    assert forwards == []
    for a, b in zip(first, run(backbone, same, None), strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6 if precision == "fp32" else 5e-3)


def test_the_second_system_embeds_its_predictions_only(
    tiny_bert: Backbone, pairs: list[Pair], tmp_path: Path, forwards: list[int]
) -> None:
    run(tiny_bert, pairs, EmbeddingCache(tmp_path))
    forwards.clear()
    other = [replace(pair, predictions=anomalies(["A door without a handle."])) for pair in pairs[:3]]
    run(tiny_bert, other, EmbeddingCache(tmp_path))
    assert sum(forwards) == 2


def test_order_of_ground_truth_does_not_matter(
    tiny_bert: Backbone, same: list[Pair], tmp_path: Path, forwards: list[int]
) -> None:
    run(tiny_bert, same, EmbeddingCache(tmp_path))
    forwards.clear()
    turned = [replace(pair, ground_truth=list(reversed(pair.ground_truth))) for pair in same]
    run(tiny_bert, turned, EmbeddingCache(tmp_path))
    assert forwards == []


def test_another_layer_or_precision_is_another_file(tiny_bert: Backbone, same: list[Pair], tmp_path: Path) -> None:
    for backbone in (tiny_bert, replace(tiny_bert, layer=1), replace(tiny_bert, precision="bf16")):
        run(backbone, same[:1], EmbeddingCache(tmp_path))
    assert len(files(tmp_path)) == 3


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-7])


def _flip(path: Path) -> None:
    data = load_file(path)
    data["vectors"][0, 0] += 1
    save_file(data, path)


def _shorten(path: Path) -> None:
    data = load_file(path)
    data["lengths"][0] -= 1
    save_file(data, path)


def _lose(path: Path) -> None:
    data = load_file(path)
    del data["weights"]
    save_file(data, path)


def _shrink(path: Path) -> None:
    """Whole in itself, but of another width."""
    data = load_file(path)
    del data["checksum"]
    data["vectors"] = data["vectors"][:, :-1].contiguous()
    save_file(data | {"checksum": torch.tensor(module._checksum(data))}, path)


@pytest.mark.parametrize("harm", [_cut, _flip, _shorten, _lose, _shrink, lambda path: path.write_bytes(b"")])
def test_a_damaged_file_is_made_anew(
    tiny_bert: Backbone, same: list[Pair], tmp_path: Path, forwards: list[int], harm: Callable[[Path], None]
) -> None:
    first = run(tiny_bert, same, EmbeddingCache(tmp_path))
    content = [path.read_bytes() for path in files(tmp_path)]
    harm(files(tmp_path)[0])
    forwards.clear()
    again = run(tiny_bert, same, EmbeddingCache(tmp_path))
    assert forwards
    for a, b in zip(first, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=0, atol=1e-6)
    assert [len(path.read_bytes()) for path in files(tmp_path)] == [len(each) for each in content]
    forwards.clear()
    run(tiny_bert, same, EmbeddingCache(tmp_path))
    assert forwards == []


def test_a_full_disk_is_said_once_and_stops_nothing(
    tiny_bert: Backbone, same: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=module.KEPT_FREE))
    notes: list[str] = []
    found = run(tiny_bert, same, EmbeddingCache(tmp_path, notes.append))
    assert len(found) == 2
    assert notes == [f"embeddings are no longer kept in {tmp_path}: the disk is nearly full"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_failed_write_leaves_nothing_behind(
    tiny_bert: Backbone, same: list[Pair], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", fail)
    notes: list[str] = []
    assert len(run(tiny_bert, same, EmbeddingCache(tmp_path, notes.append))) == 2
    assert [note.rsplit(": ", 1)[1] for note in notes] == ["No space left on device"]
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []


def test_a_directory_that_cannot_be(tiny_bert: Backbone, same: list[Pair], tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    notes: list[str] = []
    assert len(run(tiny_bert, same, EmbeddingCache(tmp_path / "file" / "cache", notes.append))) == 2
    assert len(notes) == 1


def test_truncated_texts_are_counted_on_a_hit_too(
    tiny_bert: Backbone, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenize = Embedder.tokenize

    def cut(self: Embedder, texts: list[str]) -> list[Tokens]:
        return [replace(tokens, truncated=True) for tokens in tokenize(self, texts)]

    pair = Pair("a", anomalies(PHRASES[:1]), anomalies(PHRASES[:2]))
    monkeypatch.setattr(Embedder, "tokenize", cut)
    counts: list[int] = []
    for _ in range(2):
        scorer = Scorer(tiny_bert, cache=EmbeddingCache(tmp_path))
        list(scorer.similarities([pair]))
        counts.append(scorer.truncated)
    assert counts == [4, 4]


def test_the_estimate_is_close(tiny_bert: Backbone, pairs: list[Pair], tmp_path: Path) -> None:
    full = [pair for pair in pairs if pair.predictions]
    scorer = Scorer(tiny_bert, cache=EmbeddingCache(tmp_path))
    list(scorer.similarities(full))
    size = sum(path.stat().st_size for path in files(tmp_path))
    overhead = 600 * len(full)  # headers, which matter in files as small as these
    assert scorer.cache_bytes(full) <= size <= scorer.cache_bytes(full) + overhead
    assert scorer.cache_bytes(full, sample=2) == pytest.approx(scorer.cache_bytes(full), rel=0.3)
    assert scorer.cache_bytes([]) == 0


def test_the_default_directory(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_directory() == tmp_path / "anomagent" / "embeddings"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert default_directory() == tmp_path / ".cache" / "anomagent" / "embeddings"
