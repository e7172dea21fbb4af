"""What tokens cost. The table is a data file; a user's own file of the same form goes first."""

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from anomagent.errors import ConfigurationError
from anomagent.models.types import Usage

LOCAL_PROVIDERS = frozenset({"embedded", "fake", "ollama", "qwen-vl"})
_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1", "0.0.0.0"})
_SNAPSHOT = re.compile(r"[-@](?:\d{4}-\d{2}-\d{2}|\d{8}|\d{3,4}|latest|preview(?:-[\d-]+)?)$")


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens. Cached input tokens are a part of the input tokens."""

    input: float
    output: float
    cached: float | None = None
    """None: cached tokens cost what any input token costs."""

    def __post_init__(self) -> None:
        """Raises `TypeError` for what is no price: a table is written by hand."""
        for amount in (self.input, self.output, self.cached or 0):
            if isinstance(amount, bool) or not isinstance(amount, int | float) or not 0 <= amount < math.inf:  # pyright: ignore[reportUnnecessaryIsInstance]
                raise TypeError(f"{amount!r} is no price")

    def usd(self, usage: Usage) -> float:
        """The price of `usage` in US dollars."""
        cached = min(usage.cached_input_tokens, usage.input_tokens)
        cached_price = self.input if self.cached is None else self.cached
        fresh = (usage.input_tokens - cached) * self.input
        return (fresh + cached * cached_price + usage.output_tokens * self.output) / 1_000_000


FREE = Price(0, 0, 0)


class Prices:
    """Prices by model id; a user's own table goes before the shipped one."""

    def __init__(self, shipped: Mapping[str, Price], own: Mapping[str, Price] | None = None) -> None:
        self._shipped = shipped
        self._own = own or {}

    @classmethod
    def load(cls, own: Path | None = None) -> "Prices":
        """The shipped table, and before it the file `own`. Raises `ConfigurationError` if that is no price table."""
        text = resources.files("anomagent.models").joinpath("prices.toml").read_text(encoding="utf-8")
        return cls(_table(text, "prices.toml"), _own_table(own) if own else None)

    def of(self, model_id: str, base_url: str | None = None) -> Price | None:
        """The price of `model_id` (`provider:model`) served at `base_url`; None where nobody knows it.

        Models that run in process or behind a loopback address are free unless the user's own table says otherwise.
        """
        if price := _find(self._own, model_id):
            return price
        local_server = base_url is not None and urlsplit(base_url).hostname in _LOCAL_HOSTS
        if local_server or model_id.partition(":")[0] in LOCAL_PROVIDERS:
            return FREE
        return _find(self._shipped, model_id)


def _find(table: Mapping[str, Price], model_id: str) -> Price | None:
    """Look for the full id, the name without provider, without owner, and each of them without a snapshot date."""
    name = model_id.partition(":")[2] or model_id
    for wanted in (model_id, name, name.rpartition("/")[2]):
        for spelling in (wanted.lower(), _SNAPSHOT.sub("", wanted.lower())):
            if spelling in table:
                return table[spelling]
    return None


def _own_table(path: Path) -> dict[str, Price]:
    try:
        return _table(path.read_text(encoding="utf-8"), str(path))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise ConfigurationError(f"cannot read the price table {path}: {reason}; check the setting prices") from error


def _table(text: str, origin: str) -> dict[str, Price]:
    try:
        entries: dict[str, Any] = tomllib.loads(text).get("models", {})
        return {name.lower(): Price(**entry) for name, entry in entries.items()}
    except (tomllib.TOMLDecodeError, TypeError, AttributeError) as error:
        example = '[models] and lines such as "gpt-4o" = {input = 2.5, output = 10}'
        raise ConfigurationError(f"{origin} is no price table ({error}); it needs {example}") from error
