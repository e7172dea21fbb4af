"""A clock that only sleeping moves."""

from __future__ import annotations

import asyncio


class Clockwork:
    """Seconds that pass at once. For one sleeper at a time; several would add up their sleeps."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        assert seconds > 0
        self.now += seconds
        await asyncio.sleep(0)
