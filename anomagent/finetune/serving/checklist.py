"""Checks and their outcomes: ok, failed, or not checked and why. What was not checked is never ok."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from anomagent.errors import AnomagentError

T = TypeVar("T")
Outcome = Literal["ok", "failed", "not checked"]


@dataclass(frozen=True)
class Check:
    """One thing that was looked at. `detail` is one line: what was found, and for a failure what to do."""

    name: str
    status: Outcome
    detail: str


class NotChecked(Exception):
    """Raised by a check that cannot be made; says why."""


@dataclass
class Checklist:
    """Checks in the order in which they were made."""

    checks: list[Check] = field(default_factory=list[Check])

    @property
    def failed(self) -> bool:
        """Whether any check failed."""
        return any(check.status == "failed" for check in self.checks)

    def look(
        self, name: str, step: Callable[..., tuple[T, str]], *needs: object, after: Sequence[object] = ()
    ) -> T | None:
        """Make a check: `step` gets the needs, and returns what it found and the words for it, or raises.

        An `AnomagentError` is a failure, `NotChecked` leaves it open, and so does a need (or something that it comes
        `after`) that is None because its own check gave nothing.
        """
        if any(need is None for need in (*needs, *after)):
            self.add(name, "not checked", "needs a check above that did not pass")
            return None
        try:
            found, words = step(*needs)
        except NotChecked as reason:
            self.add(name, "not checked", str(reason))
        except AnomagentError as error:
            self.add(name, "failed", str(error))
        else:
            self.add(name, "ok", words)
            return found
        return None

    def add(self, name: str, status: Outcome, detail: str) -> None:
        """Note an outcome, on one line."""
        self.checks.append(Check(name, status, " ".join(detail.split())))
