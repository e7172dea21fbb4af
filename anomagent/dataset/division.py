"""Splits that stay: each image's part follows from its content and a seed, and what belongs together is in one part.

An image is drawn a number from its content hash and the seed; its place among the parts' shares is its part. Of a group
of near-duplicates, or of images with one prompt, the smallest content hash draws for all. An image that has a part
keeps it for good: a new one joins the part of its group; one that joins groups of two parts cannot be on both sides,
which is reported as a clash. One that was dropped from the data set still holds its part for what belongs to it, so
that a copy that took its place is where it was.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final

import numpy as np

from anomagent.dataset.fingerprints import FLAT, as_numbers
from anomagent.dataset.neighbours import Positions, components, near_links
from anomagent.dataset.prompts import normal
from anomagent.errors import ConfigurationError
from anomagent.store.splits import Member, Placed

PARTS: Final = ("train", "val", "validation", "dev", "test")
"""What parts may be called, as in the benchmark's split files."""
_RANGE: Final = 2**64
_NUMBER: Final = re.compile(r"\d{1,9}(\.\d{1,9})?|\d{1,99}/\d{0,98}[1-9]\d{0,98}", re.ASCII)


@dataclass(frozen=True)
class Shares:
    """Parts and their shares, which add up to 1, in the order of `PARTS`."""

    shares: Mapping[str, Fraction]

    @classmethod
    def parse(cls, text: str) -> "Shares":
        """`train=0.5,test=0.5` or `train=8,val=1,test=1`. Raises `ConfigurationError`."""
        weights: dict[str, Fraction] = {}
        for piece in text.split(","):
            part, _, number = (side.strip() for side in piece.partition("="))
            if part not in PARTS or part in weights:
                why = "stands twice" if part in weights else f"is no part; known: {', '.join(PARTS)}"
                raise ConfigurationError(f"--ratio {text}: {part!r} {why}")
            weights[part] = _weight(number, text)
        if not weights.keys() & {"train", "test"}:
            raise ConfigurationError(f"--ratio {text}: needs a part train or test, as split files have them")
        total = sum(weights.values())
        return cls({part: weights[part] / total for part in PARTS if part in weights})

    def part_of(self, draw: int) -> str:
        """The part at a number from 0 to 2^64 - 1; each has exactly its share of the numbers, rounded down."""
        end = Fraction(0)
        for part, share in self.shares.items():
            end += share
            if draw < end * _RANGE:
                return part
        raise AssertionError("shares add up to 1")

    def __str__(self) -> str:
        return ",".join(f"{part}={share}" for part, share in self.shares.items())


@dataclass(frozen=True)
class Clash:
    """Images that belong together and were placed in different parts before."""

    parts: tuple[str, ...]
    members: tuple[Member, ...] = field(repr=False)
    """Those that have parts, and after them the new ones."""
    part: str
    """Where the new ones go: with the smallest content hash that has a part."""


@dataclass(frozen=True)
class Division:
    """Where the images go that have no part yet, and where the others are."""

    placed: tuple[Placed, ...] = field(repr=False)
    parts: Mapping[str, int]
    """Images of each part, old and new."""
    groups: int
    """Of two images or more."""
    largest: int
    """Images of the largest group."""
    clashes: tuple[Clash, ...]


def draw(sha256: str, seed: int) -> int:
    """The number of a content: 64 bits, evenly spread, the same wherever it is drawn."""
    return int.from_bytes(hashlib.sha256(f"{seed}:{sha256}".encode()).digest()[:8])


def group(
    members: Sequence[Member], fingerprints: Mapping[str, bytes], distance: int | None, prompts: bool
) -> Positions:
    """The group of each member, [n], as the position of its first one: near-duplicates (None: not), equal prompts.

    Whatever is joined through others is one group, since no link may lead from one part to another.
    """
    links: list[tuple[Positions, Positions]] = []
    if distance is not None:
        known = [place for place, one in enumerate(members) if fingerprints.get(one.sha256, FLAT) != FLAT]
        there = np.array(known, dtype=np.int64)
        numbers = as_numbers(fingerprints[members[place].sha256] for place in known)
        links += [(there[left], there[right]) for left, right in near_links(numbers, distance)]
    if prompts:
        links.append(_equal_prompts(members))
    return components(len(members), iter(links))


def held(members: Sequence[Member], left: Sequence[Member], together: Positions) -> dict[int, str]:
    """By a member's position, the part that images hold for it which were dropped: of several the smallest hash.

    `together`: the groups of the members and, behind them, those that have `left`.
    """
    parts: dict[int, tuple[str, str]] = {}
    for one, first in zip(left, together[len(members) :].tolist(), strict=True):
        if one.part:
            parts[first] = min(parts.get(first, (one.sha256, one.part)), (one.sha256, one.part))
    groups = enumerate(together[: len(members)].tolist())
    return {place: parts[first][1] for place, first in groups if first in parts}


def divide(
    members: Sequence[Member], groups: Positions, shares: Shares, seed: int, parts_held: Mapping[int, str] | None = None
) -> Division:
    """Place the members without a part. Their order does not matter; nobody who has a part is moved.

    `parts_held`, from `held`, counts for groups of which no member has a part.
    """
    waiting = parts_held or {}
    together: dict[int, list[Member]] = {}
    for member, first in zip(members, groups.tolist(), strict=True):
        together.setdefault(first, []).append(member)
    placed: list[Placed] = []
    clashes: list[Clash] = []
    for first, some in together.items():
        some = sorted(some, key=lambda member: (member.part is None, member.sha256))
        taken = {member.part for member in some if member.part}
        part = some[0].part or waiting.get(first) or shares.part_of(draw(some[0].sha256, seed))
        placed += _place(some, part, first in waiting)
        if len(taken) > 1:
            clashes.append(Clash(tuple(sorted(taken)), tuple(some), part))
    sizes = [len(some) for some in together.values() if len(some) > 1]
    parts = Counter(member.part for member in members if member.part) + Counter(one.part for one in placed)
    return Division(tuple(placed), parts, len(sizes), max(sizes, default=0), tuple(clashes))


def _place(some: Sequence[Member], part: str, is_held: bool) -> Iterable[Placed]:
    """The new ones of a group. The first one, where it has no part yet and none is held for it, drew for all."""
    for place, member in enumerate(some):
        if member.part is None:
            yield Placed(member.sha256, part, "group" if place or is_held else "hash")


def _equal_prompts(members: Sequence[Member]) -> tuple[Positions, Positions]:
    """Each member and the first one with one of its prompts."""
    first: dict[str, int] = {}
    links: list[tuple[int, int]] = []
    for place, member in enumerate(members):
        for prompt in filter(None, map(normal, member.prompts)):
            links.append((place, first.setdefault(prompt, place)))
    pairs = np.array(links, dtype=np.int64).reshape(-1, 2)
    return pairs[:, 0], pairs[:, 1]


def _weight(number: str, text: str) -> Fraction:
    if not _NUMBER.fullmatch(number) or (weight := Fraction(number)) <= 0:
        raise ConfigurationError(f"--ratio {text}: {number!r} is no share; write it as in train=0.5,test=0.5")
    return weight
