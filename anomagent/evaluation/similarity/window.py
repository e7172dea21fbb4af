"""Some images at a time: enough texts to sort into even batches, few enough to hold their vectors in memory."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from anomagent.errors import UsageError
from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity.cache import EmbeddingCache
from anomagent.evaluation.similarity.embedder import Embedded, Embedder
from anomagent.evaluation.similarity.tokens import Tokens
from anomagent.state.findings import Anomaly

IMAGE_TOKENS = 400_000
"""Tokens of one image's texts beyond which it is refused: 1.6 GB of vectors where they are 1,024 wide."""


def texts_of(anomalies: Sequence[Anomaly]) -> list[str]:
    """What is compared of these anomalies, each text once, sorted."""
    return sorted({text for anomaly in anomalies for text in (anomaly.phenomenon, anomaly.reasoning)})


@dataclass
class Window:
    """Images whose similarities are computed together. An image with an empty side takes no text with it."""

    pairs: list[Pair] = field(default_factory=list[Pair])
    embedded: dict[str, Embedded] = field(default_factory=dict[str, Embedded])
    """Texts whose vectors are there."""
    waiting: dict[str, Tokens] = field(default_factory=dict[str, Tokens])
    """Texts whose vectors are not."""
    unsaved: list[list[str]] = field(default_factory=list[list[str]])
    """The texts of each ground truth that the cache did not have."""
    tokens: int = 0
    """Of all texts, those from the cache included."""

    def add(self, pair: Pair, embedder: Embedder, cache: EmbeddingCache | None) -> None:
        """Take an image in. Raises `UsageError` where its texts are beyond all measure."""
        self.pairs.append(pair)
        if not pair.predictions or not pair.ground_truth:
            return
        before = self.tokens
        if cache:
            self._recall(texts_of(pair.ground_truth), embedder, cache)
        unknown = [
            text
            for text in texts_of([*pair.predictions, *pair.ground_truth])
            if text not in self.embedded and text not in self.waiting
        ]
        found = embedder.tokenize(unknown)
        self.waiting.update(zip(unknown, found, strict=True))
        self.tokens += sum(len(tokens.ids) for tokens in found)
        if self.tokens - before > IMAGE_TOKENS:
            raise UsageError(
                f"{pair.image}: its anomalies have {self.tokens - before:,} tokens of text, more than {IMAGE_TOKENS:,};"
                " shorten or remove them"
            )

    def _recall(self, texts: list[str], embedder: Embedder, cache: EmbeddingCache) -> None:
        if found := cache.load(embedder, texts):
            new = {text: each for text, each in found.items() if text not in self.embedded}
            self.embedded.update(new)
            self.tokens += sum(len(each.weights) for each in new.values())
            for text in new.keys() & self.waiting.keys():
                self.tokens -= len(self.waiting.pop(text).ids)
        else:
            self.unsaved.append(texts)


def windows(
    pairs: Iterable[Pair], embedder: Embedder, cache: EmbeddingCache | None, most_tokens: int
) -> Iterator[Window]:
    """The images in their order; each window ends with the image that brings it to `most_tokens`."""
    window = Window()
    for pair in pairs:
        window.add(pair, embedder, cache)
        if window.tokens >= most_tokens:
            yield window
            window = Window()
    if window.pairs:
        yield window
