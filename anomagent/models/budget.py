"""Money is promised before a request is sent, so that many requests in flight cannot pass the budget together."""

import math
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass

from anomagent.errors import ConfigurationError, OutOfBudget
from anomagent.models.prices import Price
from anomagent.models.types import Request, Usage
from anomagent.state.findings import ImageRef

_CHARACTERS_PER_TOKEN = 2.5
_PIXELS_PER_TOKEN = 600
"""Both on the safe side of what providers document: about 4 characters, and 750 pixels or more."""


@dataclass
class Reservation:
    """Money set aside for one request; `spent` is what it really cost, 0 if it never finished."""

    reserved: float
    spent: float = 0.0


class Budget:
    """What this process has spent and promised, in US dollars, against a limit (None: no limit)."""

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.spent = 0.0
        self._promised = 0.0

    @contextmanager
    def reserve(self, price: Price | None, estimate: Usage) -> Generator[Reservation]:
        """Set the estimate aside while a request is in flight.

        Raises `OutOfBudget` if it would pass the limit, `ConfigurationError` if there is a limit and no known price.
        """
        reservation = Reservation(self._check(price, estimate))
        self._promised += reservation.reserved
        try:
            yield reservation
        finally:
            self._promised -= reservation.reserved
            self.spent += reservation.spent

    def _check(self, price: Price | None, estimate: Usage) -> float:
        if self.limit is None:
            return 0.0
        if price is None:
            raise ConfigurationError(
                "a budget needs a known price: add the model to your prices.toml, or drop the budget"
            )
        cost = price.usd(estimate)
        if cost > 0 and self.spent + self._promised + cost > self.limit:
            raise OutOfBudget(
                f"the next call could pass the budget of {self.limit:.2f} USD ({self.spent:.2f} are spent)"
            )
        return cost


def largest_usage(request: Request, image: ImageRef | None) -> Usage:
    """An upper estimate of the tokens of `request`, its answer filling all its room."""
    prompt = request.prompt
    characters = len(prompt.system) + len(prompt.text) + sum(len(turn.text) for turn in request.turns)
    pixels = min(image["width"] * image["height"], request.max_pixels) if image else 0
    input_tokens = math.ceil(characters / _CHARACTERS_PER_TOKEN) + math.ceil(pixels / _PIXELS_PER_TOKEN) + 100
    return Usage(input_tokens=input_tokens, output_tokens=request.max_tokens)
