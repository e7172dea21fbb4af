"""What the calls of a batch amount to, from their events: totals, and rates over the last half minute."""

import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from anomagent.models.seam import Event
from anomagent.models.types import Usage

_WINDOW: Final = 30.0
"""Seconds that rates look back."""
_STEP: Final = 0.5
"""Seconds between two samples of the window."""


@dataclass
class Meter:
    """Counts calls and tokens; remembers calls in flight and no others."""

    clock: Callable[[], float] = time.monotonic
    requests: int = 0
    """Sent, repeated ones included."""
    answers: int = 0
    ledger_hits: int = 0
    failures: int = 0
    trouble: str = ""
    """The latest retry or failure, until an answer comes."""
    _closed: Usage = field(default_factory=Usage)
    _open: dict[str, Usage] = field(default_factory=dict[str, Usage])
    _samples: deque[tuple[float, int, int]] = field(default_factory=deque[tuple[float, int, int]])
    """Time, answers and tokens at that time."""

    def __post_init__(self) -> None:
        self._samples.append((self.clock(), 0, 0))

    def on_event(self, event: Event) -> None:
        """Take in something that happened to a call."""
        self.requests += event.kind in ("sent", "retry")
        self.answers += event.kind == "answered"
        self.ledger_hits += event.kind == "ledger_hit"
        self.failures += event.kind == "failed"
        if event.kind in ("retry", "failed"):
            self.trouble = f"{event.role}: {event.kind}, {event.detail}"
        elif event.kind == "answered":
            self.trouble = ""
        if event.kind in ("answered", "failed", "ledger_hit"):
            self._open.pop(event.key, None)
            self._closed = _sum(self._closed, event.usage)
        else:
            self._open[event.key] = event.usage

    @property
    def usage(self) -> Usage:
        """Tokens so far, those of calls in flight included."""
        total = self._closed
        for usage in list(self._open.values()):
            total = _sum(total, usage)
        return total

    @property
    def hit_share(self) -> float:
        """Answers from the ledger, of all answers; 0 without any."""
        return self.ledger_hits / max(1, self.ledger_hits + self.answers)

    @property
    def cached_share(self) -> float:
        """Cached input tokens, of all input tokens; 0 without any."""
        usage = self.usage
        return usage.cached_input_tokens / max(1, usage.input_tokens)

    def rates(self) -> tuple[float, float]:
        """Answers and tokens a second, over the last `_WINDOW` seconds."""
        now, usage = self.clock(), self.usage
        tokens = usage.input_tokens + usage.output_tokens
        while len(self._samples) > 1 and self._samples[1][0] <= now - _WINDOW:
            self._samples.popleft()
        then, answers_then, tokens_then = self._samples[0]
        if now - self._samples[-1][0] >= _STEP:
            self._samples.append((now, self.answers, tokens))
        seconds = max(now - then, 1e-9)
        return (self.answers - answers_then) / seconds, (tokens - tokens_then) / seconds


def _sum(one: Usage, other: Usage) -> Usage:
    return Usage(
        one.input_tokens + other.input_tokens,
        one.cached_input_tokens + other.cached_input_tokens,
        one.output_tokens + other.output_tokens,
    )
