"""Leakage: what the parts of a split have in common that a test should not find in its training data."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from anomagent.dataset.division import PARTS
from anomagent.dataset.fingerprints import FLAT, as_numbers
from anomagent.dataset.neighbours import nearest
from anomagent.dataset.prompts import names_in, normal

Kind = Literal["equal-files", "near-duplicates", "prompts", "entities", "annotations"]
"""- equal-files: the same content; near-duplicates: fingerprints that differ in few bits
- prompts: equal but for case, punctuation and white space
- entities: a proper name or quoted text that prompts share, unless it is common (see `names_in`)
- annotations: the same phenomenon with the same reasoning
"""
KINDS: Final[tuple[Kind, ...]] = ("equal-files", "near-duplicates", "prompts", "entities", "annotations")
COMMON: Final = 0.01
"""The share of the images above which a name identifies nothing,"""
FEWEST_COMMON: Final = 50
"""and the number that it needs besides: in a small data set one per cent is a group of pictures of one person."""


@dataclass(frozen=True, slots=True)
class Item:
    """An image of a split, with what can be compared of it."""

    name: str
    part: str
    content: str | None = None
    """Hash of the file; None where there is none."""
    fingerprint: bytes | None = None
    """None where the file is missing or cannot be read."""
    prompts: tuple[str, ...] = ()
    annotations: tuple[str, ...] | None = None
    """One text an anomaly; None where nothing is said of the image."""


class Finding(NamedTuple):
    """An image that has something in common with images of earlier parts: train comes first, test last."""

    kind: Kind
    image: str
    part: str
    other: str
    """The closest of those that have it in common; of several the first by name."""
    other_part: str
    distance: int | None
    """Of near-duplicates: bits of 64."""
    shared: str | None
    """Of texts: what both have."""
    others: int
    """How many images of earlier parts have it in common."""


@dataclass(frozen=True)
class Leakage:
    """What was found, and of how many images it could be found."""

    images: Mapping[str, int]
    """By part."""
    findings: tuple[Finding, ...] = field(repr=False)
    checked: Mapping[Kind, int]
    """Images in which each kind could be looked for."""
    common: Mapping[str, int]
    """Names that stand in too many images to identify anything, and in how many."""

    def affected(self, *kinds: Kind) -> dict[str, int]:
        """By part, how many images have any of these kinds in common with earlier parts; of all kinds by default."""
        found = {(one.image, one.part) for one in self.findings if not kinds or one.kind in kinds}
        counts = Counter(part for _, part in found)
        return {part: counts[part] for part in self.images}

    def summary(self) -> dict[str, Any]:
        """All counts; shares are of a part's images."""
        total = sum(self.images.values())
        return {
            "images": dict(self.images),
            "affected": {
                part: {"images": count, "share": round(count / self.images[part], 4)}
                for part, count in self.affected().items()
            },
            "kinds": {
                kind: {
                    "affected": sum(self.affected(kind).values()),
                    "checked": self.checked[kind],
                    "not_checked": total - self.checked[kind],
                }
                for kind in self.checked
            },
            "common_names": dict(self.common),
        }


def find_leakage(
    items: Sequence[Item],
    kinds: Collection[Kind] = KINDS,
    distance: int = 6,
    common: float = COMMON,
    fewest: int = FEWEST_COMMON,
) -> Leakage:
    """Look for these kinds across the parts of a split.

    `distance`: bits in which fingerprints of near-duplicates differ at most. A name in more than the share `common` of
    the images with prompts, and in more than `fewest`, is taken for vocabulary, such as a camera's, and not for
    something that identifies. Items that say nothing of a kind are not `checked` for it.
    """
    items = sorted(items, key=lambda item: (PARTS.index(item.part), item.name))
    findings: list[Finding] = []
    checked: dict[Kind, int] = {}
    everyday: dict[str, int] = {}
    for kind in KINDS:
        if kind not in kinds:
            continue
        if kind == "near-duplicates":
            equal = {one.image for one in findings}
            near = _near_duplicates(items, distance)
            findings += [one for one in near if one.image not in equal]
            checked[kind] = sum(item.fingerprint not in (None, FLAT) for item in items)
            continue
        texts = [_TEXTS[kind](item) for item in items]
        checked[kind] = sum(found is not None for found in texts)
        if kind == "entities":
            uses = Counter(text for found in texts for text in set(found or ()))
            most = max(fewest, common * checked[kind])
            everyday = {text: count for text, count in sorted(uses.items(), key=_by_count) if count > most}
        findings += _shared(kind, items, [set(found or ()) - everyday.keys() for found in texts])
    images = Counter(item.part for item in items)
    return Leakage({part: images[part] for part in PARTS if part in images}, tuple(findings), checked, everyday)


def _by_count(use: tuple[str, int]) -> tuple[int, str]:
    """The most frequent first."""
    text, count = use
    return -count, text


def _near_duplicates(items: Sequence[Item], distance: int) -> Iterator[Finding]:
    known = [item for item in items if item.fingerprint not in (None, FLAT)]
    numbers = as_numbers(item.fingerprint or b"" for item in known)
    ranks = np.array([PARTS.index(item.part) for item in known], dtype=np.int64)
    for rank in np.unique(ranks)[1:]:
        queries, earlier = np.flatnonzero(ranks == rank), np.flatnonzero(ranks < rank)
        found = nearest(numbers[queries], numbers[earlier], distance)
        for place in np.flatnonzero(found.items >= 0):
            image, other = known[int(queries[place])], known[int(earlier[found.items[place]])]
            apart, others = int(found.distances[place]), int(found.counts[place])
            yield Finding("near-duplicates", image.name, image.part, other.name, other.part, apart, None, others)


def _shared(kind: Kind, items: Sequence[Item], texts: Sequence[set[str]]) -> Iterator[Finding]:
    """The texts that items have in common with earlier parts. The items are in the order of their parts."""
    first: dict[str, Item] = {}
    before: Counter[str] = Counter()
    current: Counter[str] = Counter()
    part = ""
    for item, said in zip(items, texts, strict=True):
        if item.part != part:
            before, current, part = before + current, Counter[str](), item.part
        for text in sorted(said):
            current[text] += 1
            other = first.setdefault(text, item)
            if other.part != part:
                shown = None if kind == "equal-files" else text
                yield Finding(kind, item.name, part, other.name, other.part, None, shown, before[text])


def _contents(item: Item) -> list[str] | None:
    return None if item.content is None else [item.content]


def _prompts(item: Item) -> list[str] | None:
    return [*filter(None, map(normal, item.prompts))] or None


def _entities(item: Item) -> list[str] | None:
    """None where there is no prompt, or the capitals of all of them say nothing."""
    found = [names for names in map(names_in, filter(normal, item.prompts)) if names is not None]
    return [name for names in found for name in names] if found else None


def _annotations(item: Item) -> list[str] | None:
    return None if item.annotations is None else [*filter(None, map(normal, item.annotations))]


_TEXTS: Final[Mapping[Kind, Callable[[Item], list[str] | None]]] = {
    "equal-files": _contents,
    "prompts": _prompts,
    "entities": _entities,
    "annotations": _annotations,
}
"""What an item says of each kind; None where it says nothing that could be compared."""
