"""BERTScore F1 between the predictions and the ground truth of many images."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice

import numpy as np

from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.similarity.backbone import Backbone
from anomagent.evaluation.similarity.cache import EmbeddingCache
from anomagent.evaluation.similarity.devices import why_bf16_is_slow
from anomagent.evaluation.similarity.embedder import Embedded, Embedder
from anomagent.evaluation.similarity.matching import match
from anomagent.evaluation.similarity.memory import give_back_memory
from anomagent.evaluation.similarity.window import Window, texts_of, windows
from anomagent.state.findings import Anomaly


class Scorer:
    """A loaded backbone that compares anomalies.

    Gives the F1 of `bert-score` (idf off, no baseline) pair by pair. Each text is embedded once per window of
    `window_tokens` tokens, in batches of `batch_tokens`; neither changes results beyond rounding. `cache` keeps ground
    truth between runs, None keeps nothing; `threads` are the CPU's, None leaves torch as it is; `note` is told where
    bf16 brings nothing on this machine.
    Raises `ConfigurationError` where the backbone cannot be loaded.
    """

    def __init__(
        self,
        backbone: Backbone | None = None,
        *,
        cache: EmbeddingCache | None = None,
        batch_tokens: int = 2048,
        window_tokens: int = 65_536,
        threads: int | None = None,
        note: Callable[[str], object] = lambda _: None,
    ) -> None:
        backbone = backbone or Backbone()
        self._embedder = Embedder(backbone, batch_tokens, threads)
        if backbone.precision == "bf16" and (reason := why_bf16_is_slow(self._embedder.device)):
            note(reason)
        self._cache = cache
        self._window_tokens = window_tokens
        self.truncated = 0
        """Texts so far that were compared without their end, being over the model's limit; once for each image."""

    @property
    def identity(self) -> str:
        """What the numbers depend on: the backbone's content, layer and precision."""
        return self._embedder.identity

    def similarities(
        self, pairs: Iterable[Pair], progress: Callable[[int], object] | None = None
    ) -> Iterator[Similarity]:
        """One similarity for each pair, in order, while the pairs are read; `progress` hears how many are done.

        Raises `UsageError` for an image with more text than memory should hold.
        """
        done = 0
        for window in windows(pairs, self._embedder, self._cache, self._window_tokens):
            self._embed(window)
            for pair in window.pairs:
                yield self._similarity(pair, window.embedded)
                done += 1
                if progress:
                    progress(done)
            give_back_memory()

    def cache_bytes(self, pairs: Iterable[Pair], sample: int = 100) -> int:
        """About how many bytes a cache of these images' ground truth takes, measured on the first `sample` images."""
        images = iter(pairs)
        texts = [text for pair in islice(images, sample) for text in texts_of(pair.ground_truth)]
        characters = sum(map(len, texts))
        rest = sum(len(text) for pair in images for text in texts_of(pair.ground_truth))
        tokens = sum(len(each.ids) for each in self._embedder.tokenize(texts))
        size = tokens * (self._embedder.width * self._embedder.dtype.itemsize + 4)
        return round(size * (1 + rest / characters)) if characters else 0

    def _embed(self, window: Window) -> None:
        """Embed what is waiting and keep what is new."""
        vectors = self._embedder.embed(list(window.waiting.values()))
        window.embedded.update(zip(window.waiting, vectors, strict=True))
        window.waiting.clear()
        if self._cache:
            for texts in window.unsaved:
                self._cache.save(self._embedder, {text: window.embedded[text] for text in texts})

    def _similarity(self, pair: Pair, embedded: dict[str, Embedded]) -> Similarity:
        if not pair.predictions or not pair.ground_truth:
            nothing = np.zeros((len(pair.predictions), len(pair.ground_truth)))
            return Similarity(nothing, nothing)
        self.truncated += sum(embedded[text].truncated for text in texts_of([*pair.predictions, *pair.ground_truth]))

        def compare(text: Callable[[Anomaly], str]) -> np.ndarray:
            sides: Sequence[Sequence[Anomaly]] = (pair.predictions, pair.ground_truth)
            left, right = ([embedded[text(anomaly)] for anomaly in side] for side in sides)
            return match(left, right)

        with self._embedder.working():
            return Similarity(compare(lambda anomaly: anomaly.phenomenon), compare(lambda anomaly: anomaly.reasoning))
