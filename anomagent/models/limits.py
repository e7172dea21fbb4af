"""The bounds of talking to models, in one place."""

from dataclasses import dataclass

from anomagent.errors import ConfigurationError


@dataclass(frozen=True)
class Limits:
    """How many requests, how fast, how large, how often again, how much money. Raises `ConfigurationError`."""

    concurrency: int = 8
    """Requests in flight at once, over everything this process does."""
    requests_per_minute: float | None = None
    """Requests are spaced evenly, without a burst at the start. None: no limit."""
    attempts: int = 6
    """Tries of one request, the first included, while the server is busy or away."""
    retry_seconds: float = 600.0
    """No further try starts later than this after the first."""
    max_tokens: int = 2_048
    """Room for an answer at first; doubled as long as answers are cut off."""
    max_tokens_cap: int = 16_384
    """The largest room that is ever asked for."""
    budget_usd: float | None = None
    """Money that this process may spend. None: no bound."""

    def __post_init__(self) -> None:
        positive = {"concurrency": self.concurrency, "attempts": self.attempts, "max_tokens": self.max_tokens}
        for name, value in positive.items():
            if value < 1:
                raise ConfigurationError(f"{name} must be at least 1, not {value}")
        if self.max_tokens_cap < self.max_tokens:
            raise ConfigurationError(f"max_tokens_cap ({self.max_tokens_cap}) is below max_tokens ({self.max_tokens})")
        if self.requests_per_minute is not None and self.requests_per_minute <= 0:
            raise ConfigurationError(f"requests_per_minute must be above 0, not {self.requests_per_minute}")
