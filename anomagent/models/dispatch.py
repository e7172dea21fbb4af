"""Sending one request: the concurrency limit, the pace, the budget, and trying again while a server is busy or away."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

from aiolimiter import AsyncLimiter
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    stop_any,
    stop_before_delay,
    wait_random_exponential,
)

from anomagent.errors import ModelError, RateLimited, Unavailable
from anomagent.models.budget import Budget, largest_usage
from anomagent.models.call import Call
from anomagent.models.limits import Limits
from anomagent.models.types import Completion, Request
from anomagent.prompts.base import Reply

Sleep = Callable[[float], Awaitable[None]]
R = TypeVar("R", bound=Reply)
OnRetry = Callable[[ModelError, float], None]

_BACKOFF = wait_random_exponential(multiplier=1, max=60)


class Dispatcher:
    """The gate that every request of a process passes. Belongs to one event loop."""

    def __init__(self, limits: Limits, budget: Budget, sleep: Sleep = asyncio.sleep) -> None:
        self._limits = limits
        self._budget = budget
        self._sleep = sleep
        self._places = asyncio.Semaphore(limits.concurrency)
        per_minute = limits.requests_per_minute
        self._pace = AsyncLimiter(1, 60 / per_minute) if per_minute else None

    async def send(self, call: Call[R], request: Request, on_retry: OnRetry) -> tuple[Completion, float]:
        """Send `request` until it finishes; also returns the seconds of the try that did.

        A place is held while a request is in flight and given up while waiting for the next try. Raises the client's
        last error when the tries are used up, and `OutOfBudget` before anything is sent.
        """
        retrying = AsyncRetrying(
            retry=retry_if_exception_type((RateLimited, Unavailable)),
            wait=_wait,
            stop=stop_any(stop_after_attempt(self._limits.attempts), stop_before_delay(self._limits.retry_seconds)),
            sleep=self._sleep,
            before_sleep=lambda state: on_retry(_error(state), state.upcoming_sleep),
            reraise=True,
        )
        return await retrying(self._try, call, request)

    async def _try(self, call: Call[R], request: Request) -> tuple[Completion, float]:
        async with self._places:
            with self._budget.reserve(call.price, largest_usage(request, call.image)) as reservation:
                if self._pace:
                    await self._pace.acquire()
                call.tally.attempts += 1
                started = time.monotonic()
                completion = await call.client.complete(request)
                seconds = time.monotonic() - started
                usd = call.usd(completion.usage)
                reservation.spent = reservation.reserved if usd is None else usd
                return completion, seconds


def _wait(state: RetryCallState) -> float:
    """Exponential backoff with jitter, never earlier than the server asked for."""
    return max(_BACKOFF(state), _error(state).retry_after or 0.0)


def _error(state: RetryCallState) -> ModelError:
    error = state.outcome.exception() if state.outcome else None
    assert isinstance(error, ModelError)
    return error
