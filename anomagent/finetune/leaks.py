"""Leaks: images of one part that are, or resemble, images of a later part. What is tested must not be learned."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from anomagent.benchmark.documents import shown
from anomagent.errors import UsageError
from anomagent.finetune.left_out import LeftOut
from anomagent.finetune.selection import PARTS
from anomagent.finetune.sources import Subject

DISTANCE: Final = 6
"""Bits of 64 in which fingerprints of near-duplicates differ at most, as in `anomagent dataset split`."""
_BLOCK: Final = 256


class Leak(NamedTuple):
    """An image that must not be in its part."""

    subject: Subject
    why: str


def without_leaks(
    subjects: Sequence[Subject], fingerprints: Mapping[str, bytes], left_out: LeftOut, drop: bool
) -> list[Subject]:
    """The images, each content once. What is in a later part as well leaves the earlier one, or is refused.

    Raises `UsageError` for a base name that two contents have in different parts, and, unless `drop`, for leaks.
    """
    _check_names(subjects)
    leaks = {id(leak.subject): leak for leak in (*_near(subjects, fingerprints), *_equal(subjects))}
    for leak in leaks.values():
        left_out.add("leaked", f"{leak.subject.part}/{leak.subject.name}", leak.why)
    if not drop:
        left_out.refuse(
            "leaked",
            "images that are in one part and, equal or nearly so, in a later one",
            "split them anew with `anomagent dataset split`, or leave the earlier ones out with --leakage drop",
        )
    kept: dict[str, Subject] = {}
    for subject in subjects:
        if id(subject) in leaks:
            continue
        first = kept.setdefault(subject.sha256, subject)
        if first is not subject:
            _check_alike(first, subject)
            left_out.add("equal files", subject.name, f"the same file as {first.name}")
    return list(kept.values())


def _check_names(subjects: Sequence[Subject]) -> None:
    known: dict[str, Subject] = {}
    for subject in subjects:
        other = known.setdefault(subject.name, subject)
        if other.part != subject.part and other.sha256 != subject.sha256:
            raise UsageError(
                f"two different images in {other.part} and {subject.part} are called {shown(subject.name)}, by which "
                "images are matched; rename one"
            )


def _check_alike(one: Subject, other: Subject) -> None:
    if (one.tell().description is None) != (other.tell().description is None):
        raise UsageError(
            f"{shown(one.name)} and {shown(other.name)} are the same file, and only one of them is called real; "
            "correct the annotations"
        )


def _equal(subjects: Sequence[Subject]) -> Iterator[Leak]:
    latest: dict[str, Subject] = {}
    for subject in sorted(subjects, key=_rank):
        latest[subject.sha256] = subject
    for subject in subjects:
        later = latest[subject.sha256]
        if _rank(subject) < _rank(later):
            yield Leak(subject, f"the same file as {later.part}/{later.name}")


def _near(subjects: Sequence[Subject], fingerprints: Mapping[str, bytes]) -> Iterator[Leak]:
    known = [subject for subject in subjects if fingerprints.get(subject.sha256)]
    raw = b"".join(fingerprints[subject.sha256] for subject in known)
    bits = np.frombuffer(raw, dtype=">u8").astype(np.uint64)
    ranks = np.array([_rank(subject) for subject in known], dtype=np.int64)
    for rank in range(len(PARTS) - 1):
        later = np.flatnonzero(ranks > rank)
        own = np.flatnonzero(ranks == rank)
        for start in range(0, len(own) if len(later) else 0, _BLOCK):
            some = own[start : start + _BLOCK]
            closest, distances = _closest(bits[some], bits[later])
            for place in np.flatnonzero(distances <= DISTANCE):
                other = known[int(later[closest[place]])]
                why = f"near {other.part}/{other.name}, {int(distances[place])} bits of 64 differ"
                yield Leak(known[int(some[place])], why)


def _closest(queries: NDArray[np.uint64], items: NDArray[np.uint64]) -> tuple[NDArray[np.intp], NDArray[np.int64]]:
    """Of each query, [n]: the place of the closest item, and in how many bits it differs."""
    distances = np.bitwise_count(queries[:, None] ^ items[None, :])
    closest = distances.argmin(axis=1)
    return closest, distances[np.arange(len(queries)), closest].astype(np.int64)


def _rank(subject: Subject) -> int:
    return PARTS.index(subject.part)
