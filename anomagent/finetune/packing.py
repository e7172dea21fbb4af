"""Packing: an image's anomalies in random order, in as few instances as the token limit needs, each of them whole."""

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from anomagent.state.findings import Anomaly

T = TypeVar("T")


@dataclass(frozen=True)
class Packing(Generic[T]):
    """What belongs into which instance. Nothing is in two places, and nothing is lost."""

    packs: list[list[T]] = field(default_factory=list[list[T]])
    """One list an instance; none of them is empty."""
    too_long: list[T] = field(default_factory=list[T])
    """What does not fit even alone."""


def pack(items: Sequence[T], fits: Callable[[Sequence[T]], bool]) -> Packing[T]:
    """Fill one pack after the other, in the order of `items`; a pack that `fits` holds for stays together."""
    if items and fits(items):
        return Packing([list(items)])
    packing: Packing[T] = Packing()
    current: list[T] = []
    for item in items:
        if fits([*current, item]):
            current.append(item)
        elif current and fits([item]):
            packing.packs.append(current)
            current = [item]
        else:
            packing.too_long.append(item)
    if current:
        packing.packs.append(current)
    return packing


def shuffled(anomalies: Sequence[Anomaly], seed: int, content: str) -> list[Anomaly]:
    """A random order that depends on the seed, the image's content and the anomalies, not on the order they came in."""
    return sorted(anomalies, key=lambda anomaly: draw(seed, content, anomaly.model_dump_json()))


def draw(seed: int, *what: str) -> int:
    """A random number of 64 bits that is the same for the same seed and words, on every machine."""
    digest = hashlib.sha256("\0".join((str(seed), *what)).encode("utf-8", "surrogatepass"))
    return int.from_bytes(digest.digest()[:8])
