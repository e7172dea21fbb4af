"""Sets of candidates as whole numbers: bit p stands for the candidate at position p.

With 175,000 candidates such a set is 22 kB, and intersecting two or counting one takes some microseconds.
"""

from collections.abc import Iterable


def bits_of(positions: Iterable[int], size: int) -> int:
    """The set of these positions, each below `size`; many at once are cheap."""
    marks = bytearray((size + 7) // 8)
    for position in positions:
        marks[position >> 3] |= 1 << (position & 7)
    return int.from_bytes(marks, "little")


def span(start: int, stop: int) -> int:
    """The set of the positions from `start` up to, not including, `stop`."""
    return ((1 << (stop - start)) - 1) << start


def first_from(bits: int, start: int) -> int | None:
    """The first position of a set at or behind `start`, else its first one at all; None of an empty set."""
    if ahead := bits >> start:
        return start + _lowest(ahead)
    return _lowest(bits) if bits else None


def _lowest(bits: int) -> int:
    return (bits & -bits).bit_length() - 1
