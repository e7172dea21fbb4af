"""Money is promised before a request is sent, so that many requests in flight cannot pass the budget together."""

import math
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from typing import Protocol

from anomagent.errors import ConfigurationError, OutOfBudget, StoreError, Unavailable
from anomagent.models.image_tokens import image_tokens, scaled_size
from anomagent.models.prices import Price
from anomagent.models.types import Request, Usage
from anomagent.state.findings import ImageRef

_BYTES_PER_TOKEN = 2.5
_PIXELS_PER_TOKEN = 600
"""Both on the safe side of what most providers document: about 4 characters, and 750 pixels or more. UTF-8 bytes, since
a letter of a language with many of them can be more than a token."""
_SMALLEST_IMAGE = 300
"""Tokens: providers that cut images into tiles count a whole one (255 tokens) however small the image is."""
_OVERHEAD = 100
_USUAL_SHARE = 0.7
"""Of a safe estimate of the input, which counts 2.5 bytes as a token where 3.5 are usual."""
_USUAL_ANSWER = 400
"""Tokens of a middling answer, where the room for one is much larger."""
_SPARE_CALLS = 3
"""Drawn beside what a request needs: few enough that others do not miss it, enough to draw seldom."""
_ROUNDING = 1e-9
"""US dollars that sums in another order may differ by."""


@dataclass
class Reservation:
    """Money set aside for one request; `spent` is what it cost or may have cost, 0 if nothing can be billed."""

    reserved: float
    spent: float = 0.0


@dataclass(frozen=True)
class Standing:
    """Where a budget stands, in US dollars."""

    spent: float
    promised: float
    """For requests in flight: what they may cost at most. 0 where there is no limit."""
    limit: float | None

    def __str__(self) -> str:
        if self.limit is None:
            return f"{self.spent:.2f} USD spent, no budget"
        promised = f", {self.promised:.2f} promised to calls in flight" if self.promised > 0 else ""
        return f"{self.spent:.2f} of {self.limit:.2f} USD spent{promised}"


class Source(Protocol):
    """Where a process draws from a budget that it shares with others. Raises `StoreError` where it is out of reach."""

    spent: float
    """US dollars that this process spent before it was restarted."""

    def draw(self, missing: float, spare: float) -> float:
        """Take `missing` US dollars if they are there, and up to `spare` more; returns all that was ever granted."""
        ...

    def give_back(self, keep: float) -> None:
        """Let others have all but `keep` of what was granted."""
        ...


class Budget:
    """What this process has spent and promised, in US dollars, against a limit (None: no limit).

    Every finished request counts, whatever became of its answer; one that the ledger answers was never sent. Where
    processes share a budget the limit is what this one was granted, and grows with its needs.
    """

    def __init__(self, limit: float | None) -> None:
        self.limit = limit
        self.spent = 0.0
        self._promised: dict[int, float] = {}
        self._source: Source | None = None

    def share(self, source: Source) -> None:
        """Draw from `source` from now on, instead of having a limit of our own."""
        self._source = source
        self.limit = self.spent = source.spent

    def rest(self) -> None:
        """Give back what was granted and not spent, if nothing is in flight."""
        if self._source and not self._promised:
            self.limit = self.spent
            with suppress(StoreError):  # out of reach: the next draw says what we still have
                self._source.give_back(self.spent)

    @property
    def standing(self) -> Standing:
        """What is spent, promised and allowed at this moment."""
        return Standing(self.spent, math.fsum(self._promised.values()), self.limit)

    def require(self, model_id: str, price: Price | None) -> None:
        """Raise `ConfigurationError` if there is a limit and nobody knows what `model_id` costs."""
        if self.limit is not None and price is None:
            raise ConfigurationError(
                f"a budget needs a known price and {model_id} has none: add it to your prices.toml (setting prices), "
                "or drop the budget"
            )

    @contextmanager
    def reserve(self, model_id: str, price: Price | None, estimate: Usage) -> Generator[Reservation]:
        """Set the estimate aside while a request is in flight.

        Raises `OutOfBudget` if it would pass the limit, `Unavailable` if nobody can say so now, and what `require`
        raises.
        """
        reservation = Reservation(self._check(model_id, price, estimate))
        self._promised[id(reservation)] = reservation.reserved
        try:
            yield reservation
        finally:
            del self._promised[id(reservation)]
            self.spent += reservation.spent

    def _check(self, model_id: str, price: Price | None, estimate: Usage) -> float:
        self.require(model_id, price)
        if self.limit is None or price is None:
            return 0.0
        cost = price.usd(estimate)
        self._draw(cost)
        standing = self.standing
        if cost > 0 and standing.spent + standing.promised + cost > self.limit + _ROUNDING:
            which = "that all workers share" if self._source else f"({standing})"
            raise OutOfBudget(
                f"the next call may cost {cost:.2g} USD and pass the budget {which}; raise budget_usd to go on"
            )
        return cost

    def _draw(self, cost: float) -> None:
        """Get what is missing for `cost`, if there is somebody to get it from and he has it."""
        standing = self.standing
        missing = standing.spent + standing.promised + cost - (self.limit or 0.0)
        if self._source and cost > 0 and missing > 0:
            try:
                self.limit = self._source.draw(missing, _SPARE_CALLS * cost)
            except StoreError as error:
                raise Unavailable(str(error)) from error  # tried again, as any call is


class Estimates:
    """Tokens of a request before it is sent, and what providers' counts teach about them.

    How many tokens an image is differs by a factor of 30 between models. Where no documented rule is known, or the
    rule is wrong, the first counts that come back correct it, so an upper estimate fails at most for the requests in
    flight before them.
    """

    def __init__(self) -> None:
        self._factors: dict[str, float] = {}

    def largest(self, model: str, request: Request, image: ImageRef | None) -> Usage:
        """An upper estimate for `model` (a client's identity): all that it ever counted too much, a full answer."""
        usage = largest_usage(model, request, image)
        return replace(usage, input_tokens=math.ceil(usage.input_tokens * self._factors.get(model, 1.0)))

    def learn(self, model: str, request: Request, image: ImageRef | None, counted: Usage) -> None:
        """Take notice of what `model` counted for `request`."""
        factor = counted.input_tokens / largest_usage(model, request, image).input_tokens
        self._factors[model] = max(factor, self._factors.get(model, 1.0))


def largest_usage(model: str, request: Request, image: ImageRef | None) -> Usage:
    """An upper estimate of what `request` to `model` (a client's identity) takes, its answer filling all its room."""
    return Usage(input_tokens=_input_tokens(model, request, image), output_tokens=request.max_tokens)


def usual_tokens(model: str, request: Request, image: ImageRef | None) -> int:
    """About how many tokens `request` and its answer are together, for limits that are corrected afterwards."""
    return round(_input_tokens(model, request, image) * _USUAL_SHARE) + min(_USUAL_ANSWER, request.max_tokens)


def _input_tokens(model: str, request: Request, image: ImageRef | None) -> int:
    prompt = request.prompt
    texts = (prompt.system, prompt.text, *(turn.text for turn in request.turns))
    size = sum(len(text.encode(errors="replace")) for text in texts)
    seen = _largest_image(model, image, request.max_pixels) if image else 0
    return math.ceil(size / _BYTES_PER_TOKEN) + seen + _OVERHEAD


def _largest_image(model: str, image: ImageRef, max_pixels: int) -> int:
    """What the provider's documented rule says, and never less than a rule of thumb: documents grow old."""
    width, height = scaled_size(image["width"], image["height"], max_pixels)
    documented = image_tokens(model, width, height).tokens or 0
    return max(documented, _SMALLEST_IMAGE, math.ceil(width * height / _PIXELS_PER_TOKEN))
