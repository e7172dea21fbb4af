"""Sending one request: the concurrency limit, the pace, the budget, and trying again while a server is busy or away."""

import asyncio
import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    wait_exponential_jitter,
)

from anomagent.errors import ModelError, RateLimited, Unavailable
from anomagent.models.budget import Budget, Estimates, Reservation, usual_tokens
from anomagent.models.call import Call
from anomagent.models.limits import Limits
from anomagent.models.pace import Clock, Pace, Sleep
from anomagent.models.places import Places
from anomagent.models.types import Completion, Request
from anomagent.prompts.base import Reply

R = TypeVar("R", bound=Reply)
OnRetry = Callable[[ModelError, float], None]

_BACKOFF = wait_exponential_jitter(multiplier=1.5, max=60, jitter=1)
"""1.5, 3, 6, ... seconds: with the default of five further tries a server may be away for 45 seconds."""
_TIMED_OUT = re.compile(r"no answer within|timed?[ -]?out", re.IGNORECASE)
"""How clients and servers word it that an answer took too long."""


class Dispatcher:
    """The gate that every request of a process passes. Belongs to one event loop."""

    def __init__(
        self, limits: Limits, budget: Budget, sleep: Sleep = asyncio.sleep, clock: Clock = time.monotonic
    ) -> None:
        self._limits = limits
        self._budget = budget
        self._estimates = Estimates()
        self._places = Places(limits.concurrency)
        self._pace = Pace(limits, clock=clock, sleep=sleep)
        self._sleep = sleep
        self._clock = clock

    async def send(self, call: Call[R], request: Request, on_retry: OnRetry) -> tuple[Completion, float]:
        """Send `request` until it finishes; also returns the seconds of the try that did.

        A place is held while a request is in flight and given up while waiting for the next try. Where a server says
        when it wants to be asked again, nobody asks its model before. Raises the client's last error when the tries
        are used up, and `OutOfBudget` before anything is sent.
        """
        tries = _Tries(on_retry)
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((RateLimited, Unavailable)),
            wait=_wait,
            stop=lambda state: state.attempt_number >= self._limits.attempts or self._too_late(tries, state),
            sleep=lambda seconds: self._rest(call.client.identity, tries, seconds),
            before_sleep=tries.take_notice,
            reraise=True,
        )
        return await retrying(self._try, call, request, tries)

    async def _try(self, call: Call[R], request: Request, tries: "_Tries") -> tuple[Completion, float]:
        """Wait for the model's pauses first: a place or a promise held meanwhile would keep others from theirs."""
        model, image = call.client.identity, call.image
        while True:
            await self._pace.pauses_over(model)
            async with self._places.place(call.image_sha256):
                largest = self._estimates.largest(model, request, image)
                with self._budget.reserve(model, call.price, largest) as reservation:
                    tokens = usual_tokens(model, request, image)
                    if await self._pace.take(model, tokens):
                        completion, seconds = await self._complete(call, request, reservation, tries)
                        # What failed keeps its tokens taken: most providers count it, and a busy one needs the rest.
                        self._pace.correct(tokens, completion.usage.input_tokens + completion.usage.output_tokens)
                        return completion, seconds

    async def _complete(
        self, call: Call[R], request: Request, reservation: Reservation, tries: "_Tries"
    ) -> tuple[Completion, float]:
        """Send `request` now, and enter in the reservation what it cost."""
        call.tally.attempts += 1
        started = self._clock()
        tries.begun = started if tries.begun is None else tries.begun
        try:
            completion = await call.client.complete(request)
        except Unavailable as error:
            if _timed_out(error):
                reservation.spent = reservation.reserved
                tries.billed += call.usd(self._estimates.largest(call.client.identity, request, call.image)) or 0.0
            error.billed = tries.billed
            raise
        seconds = self._clock() - started
        self._estimates.learn(call.client.identity, request, call.image, completion.usage)
        usd = call.usd(completion.usage)
        reservation.spent = reservation.reserved if usd is None else usd
        return completion, seconds

    async def _rest(self, model: str, tries: "_Tries", seconds: float) -> None:
        """Sleep before the next try; as long as the server asked to be left alone, nobody else asks either."""
        asked_for = min(tries.asked_for, seconds)
        if asked_for:
            with self._pace.pause(model):
                await self._sleep(asked_for)
        if seconds > asked_for:
            await self._sleep(seconds - asked_for)

    def _too_late(self, tries: "_Tries", state: RetryCallState) -> bool:
        """Counted from the first request: before that a call may have waited long for its turn."""
        begun = self._clock() if tries.begun is None else tries.begun
        return self._clock() - begun + state.upcoming_sleep >= self._limits.retry_seconds


@dataclass
class _Tries:
    """What is known of the tries of one request."""

    on_retry: OnRetry
    begun: float | None = None
    """When the first was sent."""
    asked_for: float = 0.0
    """Seconds of rest that a busy server asked for last."""
    billed: float = 0.0
    """US dollars that requests without an answer may have cost."""

    def take_notice(self, state: RetryCallState) -> None:
        """Remember the failure before the rest that follows it, and pass it on."""
        error = _error(state)
        self.asked_for = (error.retry_after or 0.0) if isinstance(error, RateLimited) else 0.0
        self.on_retry(error, state.upcoming_sleep)


def _wait(state: RetryCallState) -> float:
    """Exponential backoff with jitter, never earlier than the server asked for."""
    return max(_BACKOFF(state), _error(state).retry_after or 0.0)


def _timed_out(error: Unavailable) -> bool:
    """Whether the server may have worked on the request and bill it, as one that was never reached cannot."""
    return bool(_TIMED_OUT.search(str(error)))


def _error(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError)
    return error
