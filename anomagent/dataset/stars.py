"""Near-duplicates: which pictures resemble each other, and which one of them stays.

Pictures are looked at from the best to the worst; one that resembles a picture that stays already is dropped, any other
one stays. So each dropped picture itself resembles the one that stands for it, and no two that stay resemble each
other. Chains do no harm: where a resembles b and b resembles c, but a does not resemble c, the better ones decide.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

import numpy as np

from anomagent.dataset.likeness import Likeness
from anomagent.dataset.neighbours import Positions
from anomagent.store.duplicates import Candidate, Duplicate

Keep = Literal["largest", "first", "best-score"]
"""Which picture of a group stays: the one with most pixels, then bytes; that which came first; that of best score."""

_AT_ONCE: Final = 2048
"""Pictures that are compared with each other in one piece."""
_RANKS: Final[Mapping[Keep, Callable[[Candidate], tuple[Any, ...]]]] = {
    "largest": lambda image: (-image.pixels, -image.bytes),
    "first": lambda image: (image.created,),
    "best-score": lambda image: (image.score is None, -(image.score or 0.0), -image.pixels, -image.bytes),
}


@dataclass(frozen=True, slots=True)
class Dropped:
    """A picture that goes, and how far it is from the one that stays."""

    image: Candidate
    distance: float
    """Bits of the fingerprint, or 1 - cosine similarity."""
    method: str


@dataclass(frozen=True, slots=True)
class Group:
    """Near-duplicates: the one that stays, and those that it stands for, the closest first."""

    kept: Candidate
    dropped: tuple[Dropped, ...]


@dataclass(frozen=True)
class Plan:
    """What would be decided. Nothing has been changed yet."""

    images: int
    """All that were looked at."""
    groups: tuple[Group, ...]
    """Those found now, the largest first."""
    kept: tuple[Candidate, ...] = field(repr=False)
    """All that stay."""
    settled: tuple[Candidate, ...] = field(repr=False)
    """Dropped by an earlier decision, which stands."""
    orphans: int
    """Of these, how many resemble no picture that stays, though the one that they went for stays: they were dropped
    under a greater distance, or by another likeness."""
    equal_files: tuple[Candidate, ...] = field(repr=False)
    """Contents that came under several names: equal files are one image from the start."""

    @property
    def dropped(self) -> list[Dropped]:
        """All that go by what is decided now."""
        return [dropped for group in self.groups for dropped in group.dropped]

    @property
    def turned(self) -> int:
        """Images that stayed before and go now."""
        return sum(bool(dropped.image.kept_before) for dropped in self.dropped)

    @property
    def revived(self) -> int:
        """Images that an earlier decision dropped and that stay now: nothing is left that stands for them, or all is
        decided anew."""
        return sum(image.kept_before is False for image in self.kept)

    def decisions(self) -> Iterable[tuple[str, bool, str | None]]:
        """Content hash, whether it stays, and why not, of the images about which something new is decided."""
        for image in self.kept:
            if image.kept_before is not True:
                yield image.sha256, True, None
        for group in self.groups:
            for dropped in group.dropped:
                reason = f"{dropped.method}: {dropped.distance:.4g} from {group.kept.names[0]}"
                yield dropped.image.sha256, False, reason

    def rows(self) -> Iterable[Duplicate]:
        """The groups as they are stored."""
        for number, group in enumerate(self.groups):
            yield Duplicate(number, group.kept.sha256, True, group.dropped[0].method, None)
            for dropped in group.dropped:
                yield Duplicate(number, dropped.image.sha256, False, dropped.method, dropped.distance)


def rank(images: Iterable[Candidate], keep: Keep, anew: bool = False) -> list[Candidate]:
    """From the one to be kept to the one to go.

    One that an earlier decision keeps is before others, unless `anew`; then one that is in a part of a split, so that
    nobody's copy takes its place and is placed elsewhere.
    """
    by_rule = _RANKS[keep]

    def key(image: Candidate) -> tuple[Any, ...]:
        new = not anew and image.kept_before is not True
        return (new, not image.has_part, *by_rule(image), image.names, image.sha256)

    return sorted(images, key=key)


def plan(images: Sequence[Candidate], likenesses: Sequence[Likeness], anew: bool = False) -> Plan:
    """Decide about `images`, ranked by `rank`; the likenesses know them by their positions.

    One that an earlier decision dropped stays dropped, unless the one that it went for has gone since and it resembles
    none that stays: then it is decided about anew, after all others. One that was kept goes only if it resembles
    another one that was kept, under a greater distance than before. With `anew` earlier decisions do not matter.
    """
    before = np.array([image.kept_before is False and not anew for image in images], dtype=np.bool_)
    open_, settled = np.flatnonzero(~before), np.flatnonzero(before)
    kept = choose(open_, likenesses)
    represented = np.array([one[0] for one in _representatives(settled, kept, likenesses)], dtype=np.int64)
    alone = np.setdiff1d(settled, represented)
    stands = {images[int(position)].sha256 for position in kept}
    bereft = np.array([images[int(place)].went_for not in stands for place in alone], dtype=np.bool_)
    orphans, reopened = alone[~bereft], alone[bereft]
    kept = np.union1d(kept, choose(reopened, likenesses))
    settled = np.setdiff1d(settled, reopened)
    stay, rest = ([images[int(position)] for position in some] for some in (kept, settled))
    gone = np.setdiff1d(np.union1d(open_, reopened), kept)
    members: dict[int, list[Dropped]] = {}
    for position, keeps, distance, method in _representatives(gone, kept, likenesses, better=True):
        members.setdefault(keeps, []).append(Dropped(images[position], distance, method))
    groups = [
        Group(images[keeps], tuple(sorted(dropped, key=lambda one: (one.method, one.distance, one.image.names))))
        for keeps, dropped in members.items()
    ]
    return Plan(
        images=len(images),
        groups=tuple(sorted(groups, key=lambda group: (-len(group.dropped), group.kept.names, group.kept.sha256))),
        kept=tuple(stay),
        settled=tuple(rest),
        orphans=len(orphans),
        equal_files=tuple(image for image in images if len(image.names) > 1),
    )


def choose(order: Positions, likenesses: Sequence[Likeness]) -> Positions:
    """Those that stay of `order`, which has the better ones first: each that resembles none before it that stays."""
    kept: Positions = order[:0]
    for start in range(0, len(order), _AT_ONCE):
        some = order[start : start + _AT_ONCE]
        for likeness in likenesses:
            some = some[likeness.closest(some, kept).items < 0]
        kept = np.concatenate([kept, _choose_among(some, likenesses)])
    return kept


def _choose_among(some: Positions, likenesses: Sequence[Likeness]) -> Positions:
    near = np.zeros((len(some), len(some)), dtype=np.bool_)
    for likeness in likenesses:
        near |= likeness.within(some)
    out = np.zeros(len(some), dtype=np.bool_)
    stay = np.zeros(len(some), dtype=np.bool_)
    for place in range(len(some)):
        if not out[place]:
            stay[place] = True
            out |= near[place]
    return some[stay]


def _representatives(
    gone: Positions, kept: Positions, likenesses: Sequence[Likeness], *, better: bool = False
) -> Iterable[tuple[int, int, float, str]]:
    """Of those that resemble one that stays: their position, its position, the distance, and by which likeness.

    The first likeness by which there is one counts, and by it the closest; with `better`, of those that are before it
    in the order. Both are in the order.
    """
    for likeness in likenesses:
        closest = likeness.closest(gone, kept, np.searchsorted(kept, gone) if better else None)
        found = closest.items >= 0
        for place in np.flatnonzero(found):
            stands = int(kept[closest.items[place]])
            yield int(gone[place]), stands, float(closest.distances[place]), likeness.method
        gone = gone[~found]
