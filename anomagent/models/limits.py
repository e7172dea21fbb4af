"""The bounds of talking to models, in one place."""

import math
from dataclasses import dataclass

from anomagent.errors import ConfigurationError


@dataclass(frozen=True)
class Limits:
    """How many requests, how fast, how large, how often again, how much money. Raises `ConfigurationError`."""

    concurrency: int = 8
    """Requests in flight at once, over everything this process does."""
    requests_per_minute: float | None = None
    """Requests are spaced evenly, without a burst at the start. None: no limit."""
    tokens_per_minute: float | None = None
    """Input and output tokens, cached ones included, of all requests together. None: no limit."""
    attempts: int = 6
    """Tries of one request, the first included, while the server is busy or away."""
    retry_seconds: float = 600.0
    """No further try starts later than this after the first."""
    max_tokens: int = 2_048
    """Room for an answer at first; doubled as long as answers are cut off."""
    max_tokens_cap: int = 16_384
    """The largest room that is ever asked for."""
    budget_usd: float | None = None
    """US dollars that this process may spend. None: no bound."""

    def __post_init__(self) -> None:
        positive = {"concurrency": self.concurrency, "attempts": self.attempts, "max_tokens": self.max_tokens}
        for name, value in positive.items():
            if value < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        if self.max_tokens_cap < self.max_tokens:
            raise ConfigurationError(f"max_tokens_cap ({self.max_tokens_cap}) is below max_tokens ({self.max_tokens})")
        for name in ("requests_per_minute", "tokens_per_minute"):
            rate: float | None = getattr(self, name)
            if rate is not None and not 0 < rate < math.inf:
                raise ConfigurationError(f"{name} must be above 0, not {rate}; leave it out for no limit")
        if self.budget_usd is not None and not 0 <= self.budget_usd < math.inf:
            raise ConfigurationError(f"budget_usd must be 0 or more, not {self.budget_usd}; leave it out for no bound")
