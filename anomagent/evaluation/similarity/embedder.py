# pyright: basic
"""Token vectors of texts, computed in batches of texts of about the same length."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anomagent.evaluation.similarity.backbone import Backbone
from anomagent.evaluation.similarity.loading import load
from anomagent.evaluation.similarity.tokens import Encoder, Tokens


@dataclass(frozen=True)
class Embedded:
    """One text."""

    vectors: Any
    """Tensor [tokens, width] of unit length, on the backbone's device in its precision."""
    weights: NDArray[np.float32]
    """[tokens], 0 or 1."""
    truncated: bool


class Embedder:
    """A loaded backbone: texts in, unit token vectors out.

    `batch_tokens` bounds a batch, padding included (a longer text is a batch of its own); `threads` are the CPU's, None
    leaves torch as it is. Raises `ConfigurationError` where the backbone cannot be loaded.
    """

    def __init__(self, backbone: Backbone, batch_tokens: int = 2048, threads: int | None = None) -> None:
        loaded = load(backbone)
        self._model, self._threads, self._batch_tokens = loaded.model, threads, batch_tokens
        self._encoder = Encoder(loaded)
        self.identity = loaded.identity
        self.width: int = loaded.model.config.hidden_size
        self.dtype = loaded.model.dtype
        self.device = loaded.model.device

    def tokenize(self, texts: Sequence[str]) -> list[Tokens]:
        """Ids and weights of each text."""
        return self._encoder.encode(texts)

    def embed(self, texts: Sequence[Tokens]) -> list[Embedded]:
        """Vectors of each text, in order. How texts meet in batches moves them by rounding errors only."""
        order = sorted(range(len(texts)), key=lambda index: len(texts[index].ids))
        found: list[Embedded | None] = [None] * len(texts)
        with self.working():
            for batch in _batches(order, texts, self._batch_tokens):
                for index, vectors in zip(batch, self._forward([texts[i].ids for i in batch]), strict=True):
                    found[index] = Embedded(vectors, texts[index].weights, texts[index].truncated)
        return [each for each in found if each is not None]

    @contextmanager
    def working(self) -> Iterator[None]:
        """No gradients, and the wanted number of threads, as before afterwards."""
        import torch

        before = torch.get_num_threads()
        if self._threads:
            torch.set_num_threads(self._threads)
        try:
            with torch.inference_mode():
                yield
        finally:
            torch.set_num_threads(before)

    def _forward(self, batch: Sequence[list[int]]) -> list[Any]:
        """Unit vectors [tokens, width] of each row of ids."""
        import torch

        lengths = [len(ids) for ids in batch]
        longest = max(lengths)
        ids = torch.tensor([row + [0] * (longest - len(row)) for row in batch], device=self.device)
        mask = None  # Without padding there is nothing to hide, and attention is faster.
        if min(lengths) < longest:
            mask = torch.tensor([[1] * n + [0] * (longest - n) for n in lengths], device=self.device)
        states = self._model(input_ids=ids, attention_mask=mask).last_hidden_state.float()
        states = (states / states.norm(dim=-1, keepdim=True)).to(self.dtype)
        return [row[:length] for row, length in zip(states, lengths, strict=True)]


def _batches(order: Sequence[int], texts: Sequence[Tokens], most: int) -> Iterator[list[int]]:
    """Runs of `order`, which goes from short to long, of at most `most` tokens once padded."""
    batch: list[int] = []
    for index in order:
        if batch and (len(batch) + 1) * len(texts[index].ids) > most:
            yield batch
            batch = []
        batch.append(index)
    if batch:
        yield batch
