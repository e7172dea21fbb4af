"""How far two raters agree who say of the same pairs whether they are the same: raw agreement and Cohen's kappa."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Agreement:
    """Counts of pairs by what two raters say of them."""

    both: int
    """Both say "the same"."""
    first_only: int
    second_only: int
    neither: int

    @classmethod
    def of(cls, verdicts: Iterable[tuple[bool, bool]]) -> "Agreement":
        """Count (first, second) verdicts."""
        counts = {(True, True): 0, (True, False): 0, (False, True): 0, (False, False): 0}
        for verdict in verdicts:
            counts[verdict] += 1
        return cls(*counts.values())

    @property
    def pairs(self) -> int:
        """How many pairs both raters judged."""
        return self.both + self.first_only + self.second_only + self.neither

    @property
    def raw(self) -> float | None:
        """Share of pairs on which they agree; None without pairs."""
        return (self.both + self.neither) / self.pairs if self.pairs else None

    @property
    def kappa(self) -> float | None:
        """Cohen's kappa: (observed - expected) / (1 - expected) agreement; None where `undefined` says why.

        Expected is the agreement of two raters who say "the same" as often as these two, but of random pairs.
        """
        if self.undefined or self.raw is None:
            return None
        first, second = (self.both + self.first_only) / self.pairs, (self.both + self.second_only) / self.pairs
        expected = first * second + (1 - first) * (1 - second)
        return (self.raw - expected) / (1 - expected)

    @property
    def undefined(self) -> str | None:
        """Why there is no kappa; None where there is one."""
        if not self.pairs:
            return "there are no pairs"
        if self.pairs in (self.both, self.neither):
            return "both say the same of every pair, so chance alone explains it"
        return None

    def described(self, first: str, second: str) -> dict[str, Any]:
        """All of it as plain data, the two raters by name."""
        return {
            "pairs": self.pairs,
            "both": self.both,
            f"{first}_only": self.first_only,
            f"{second}_only": self.second_only,
            "neither": self.neither,
            "raw": self.raw,
            "kappa": self.kappa,
            "kappa_undefined": self.undefined,
        }
