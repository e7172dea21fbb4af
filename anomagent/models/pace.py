"""How fast requests leave: requests and tokens per minute, and a pause for all while a server says that it is busy."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager

from aiolimiter import AsyncLimiter

from anomagent.models.limits import Limits

Sleep = Callable[[float], Awaitable[None]]
Clock = Callable[[], float]
"""Seconds that never run backwards."""

_BUCKET_SECONDS = 10.0
"""A rest of this length is made up for at once: the bucket holds a sixth of what a minute allows."""
_LOOK_SECONDS = 1.0
"""No longer sleep than this: meanwhile tokens may have been given back."""


class TokenBucket:
    """Tokens per minute, shared: in any time t no more than `per_minute` * t / 60 and one bucket are taken.

    First come, first served, so a large request does not wait for ever behind small ones. One that is larger than the
    bucket waits until it is full, takes all and owes the rest. aiolimiter has neither, and gives nothing back.
    """

    def __init__(self, per_minute: float, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        self._per_second = per_minute / 60
        self._size = self._per_second * _BUCKET_SECONDS
        self._level = self._size
        self._clock = clock
        self._filled = clock()
        self._sleep = sleep
        self._turn = asyncio.Lock()

    async def take(self, tokens: float) -> None:
        """Wait until there are `tokens`, and take them."""
        async with self._turn:
            enough = min(tokens, self._size)
            # The first in line alone decides when it goes: whoever is cancelled here has taken nothing.
            while (missing := enough - self._fill()) > self._size * 1e-9:
                await self._sleep(min(missing / self._per_second, _LOOK_SECONDS))
            self._level -= tokens

    def correct(self, taken: float, real: float) -> None:
        """Give back what was `taken` too much; what was too little is owed, and whoever comes next waits for it."""
        self._level = self._fill() + taken - real

    def _fill(self) -> float:
        """The level now: never above the size, below 0 where tokens are owed."""
        now = self._clock()
        self._level = min(self._size, self._level + (now - self._filled) * self._per_second)
        self._filled = now
        return self._level


class Pace:
    """The speed limits of a process and the pauses that servers ask for. Belongs to one event loop."""

    def __init__(self, limits: Limits, *, clock: Clock = time.monotonic, sleep: Sleep = asyncio.sleep) -> None:
        requests, tokens = limits.requests_per_minute, limits.tokens_per_minute
        self._requests = AsyncLimiter(1, 60 / requests) if requests else None
        self._tokens = TokenBucket(tokens, clock=clock, sleep=sleep) if tokens else None
        self._pauses: dict[str, set[asyncio.Future[None]]] = {}

    async def pauses_over(self, model: str) -> None:
        """Wait until no server of `model` (a client's identity) wants to be left alone."""
        while pauses := self._pauses.get(model):
            await asyncio.wait(pauses)

    async def take(self, model: str, tokens: int) -> bool:
        """Wait until the limits let a request to `model` of about so many tokens leave, and say whether it may.

        False while the model has a pause, also one that began during the wait: then no tokens are taken. Never waits
        for the end of a pause, so that nobody keeps from others what is needed to send.
        """
        if self._pauses.get(model):
            return False
        if self._tokens:
            await self._tokens.take(tokens)
        if self._requests:
            await self._requests.acquire()
        if not self._pauses.get(model):
            return True
        if self._tokens:
            self._tokens.correct(tokens, 0)
        return False

    def correct(self, taken: int, real: int) -> None:
        """Say what a request of about `taken` tokens really was. 0 is what a server says that does not count."""
        if self._tokens and real:
            self._tokens.correct(taken, real)

    @contextmanager
    def pause(self, model: str) -> Generator[None]:
        """Nobody's request to `model` leaves meanwhile."""
        over = asyncio.get_running_loop().create_future()
        self._pauses.setdefault(model, set()).add(over)
        try:
            yield
        finally:
            self._pauses[model].discard(over)
            over.set_result(None)
