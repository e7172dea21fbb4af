"""What cannot or shall not be learned from, by reason: counted, named, and refused unless somebody said otherwise."""

from collections import Counter
from typing import Any, Final, Literal, get_args

from anomagent.errors import UsageError

Reason = Literal[
    "not allowed",
    "in no part",
    "undecided",
    "incomplete",
    "no anomalies",
    "equal files",
    "failed",
    "missing",
    "unreadable",
    "bad entry",
    "too long",
    "leaked",
]
"""- not allowed: not on the allow list; in no part: the split does not name it
- undecided: nothing is accepted and not everything is decided; incomplete: nothing was found, but something failed
- no anomalies: was asked to be left out; equal files: another name of the same content is used
- failed: no result, or none that could be read; missing, unreadable: the image's file
- bad entry: an anomaly, or a description, with an empty field or a control token; too long: alone above the limit
- leaked: the image, or one like it, is in a later part as well
"""

CHOSEN: Final[frozenset[Reason]] = frozenset(
    {"not allowed", "in no part", "undecided", "incomplete", "no anomalies", "equal files"}
)
"""Reasons that follow from what was asked for; the others are losses."""

_MOST_NAMED: Final = 1_000
_SHOWN: Final = 3
_LONGEST: Final = 200


class LeftOut:
    """Counts by reason, with the names of the first thousand of each."""

    def __init__(self) -> None:
        self._counts: Counter[Reason] = Counter()
        self._named: dict[Reason, list[str]] = {}

    def add(self, reason: Reason, name: str, why: str = "") -> None:
        """Note an image, or an anomaly of one."""
        self._counts[reason] += 1
        named = self._named.setdefault(reason, [])
        if len(named) < _MOST_NAMED:
            named.append(f"{name}: {why}" if why else name)

    def __getitem__(self, reason: Reason) -> int:
        return self._counts[reason]

    @property
    def losses(self) -> int:
        """How many were left out although they were asked for."""
        return sum(count for reason, count in self._counts.items() if reason not in CHOSEN)

    def named(self, reason: Reason) -> list[str]:
        """The first of them, each with why."""
        return self._named.get(reason, [])

    def refuse(self, reason: Reason, what: str, way_out: str) -> None:
        """Raises `UsageError` with their number and first names where there is any; `what` says what they are."""
        if not self[reason]:
            return
        first = "; ".join(repr(name[:_LONGEST])[1:-1] for name in self.named(reason)[:_SHOWN])
        more = f"; and {self[reason] - _SHOWN:,} more" if self[reason] > _SHOWN else ""
        raise UsageError(f"{what}: {self[reason]:,} ({first}{more}); {way_out}")

    def line(self) -> str:
        """All counts, on one line."""
        reasons: tuple[Reason, ...] = get_args(Reason)
        said = [f"{reason}: {self[reason]:,}" for reason in reasons if self[reason]]
        return ", ".join(said) or "no image was given"

    def summary(self) -> dict[str, Any]:
        """Counts and names by reason."""
        reasons: tuple[Reason, ...] = get_args(Reason)
        return {
            reason: {"count": self[reason], "named": sorted(self.named(reason))} for reason in reasons if self[reason]
        }
