"""From calls and tokens to time and machines: hours under limits, GPU hours, bytes of a database."""

from collections.abc import Mapping
from dataclasses import dataclass

PRIOR_SECONDS = 6.0
"""Of one call, where a workspace has no history: about 340 tokens of answer at 60 tokens a second, the usual speed of
hosted models of GPT-4o's size, and a second until the first token. An assumption."""


@dataclass(frozen=True)
class Limits:
    """What bounds the pace of a batch."""

    concurrency: int
    """Calls in flight."""
    requests_per_minute: float | None = None
    tokens_per_minute: float | None = None
    """Input and output tokens."""


@dataclass(frozen=True)
class Duration:
    """How long a batch takes at least, and which limit makes it so."""

    hours: float
    binding: str
    """Name of the setting that binds."""


def duration(calls: float, tokens: float, limits: Limits, seconds: float) -> Duration:
    """The time of `calls` of `seconds` each with `tokens` in all: the slowest of the limits decides."""
    hours = {"concurrency": calls * seconds / limits.concurrency / 3600}
    if limits.requests_per_minute:
        hours["requests_per_minute"] = calls / limits.requests_per_minute / 60
    if limits.tokens_per_minute:
        hours["tokens_per_minute"] = tokens / limits.tokens_per_minute / 60
    binding = max(hours, key=lambda name: hours[name])
    return Duration(hours[binding], binding)


@dataclass(frozen=True)
class Throughput:
    """What one GPU does, in tokens a second with many calls in flight."""

    prefill: float
    """Input tokens that are computed, not read from the prefix cache."""
    decode: float
    """Output tokens."""


def gpu_hours(input_tokens: float, cached_tokens: float, output_tokens: float, gpu: Throughput) -> float:
    """GPU hours when prefill and decoding take turns on each GPU; cached tokens cost nothing."""
    return ((input_tokens - cached_tokens) / gpu.prefill + output_tokens / gpu.decode) / 3600


def database_bytes(bytes_per_row: Mapping[str, float], rows: Mapping[str, float]) -> float:
    """Bytes of a database: for each table the bytes of a row, its indexes included, times the rows."""
    return sum(size * rows.get(table, 0.0) for table, size in bytes_per_row.items())
