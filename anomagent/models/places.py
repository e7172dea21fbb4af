"""The places of requests in flight: few, and given first to the images that were begun first."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from heapq import heappop, heappush
from itertools import count

_REMEMBERED = 10_000
"""Images whose rank is kept: far more than are ever worked on at once, so that memory is flat over any number."""


class Places:
    """A semaphore that serves the calls of the image that came first before those of later ones.

    First come, first served would mix the calls of all images that are worked on: each would take as long as all of
    them, and a server would meet an image again only after it has forgotten its prefix. Later images get the places
    that earlier ones leave. Nobody starves as long as a bounded number of images is worked on at once.
    """

    def __init__(self, number: int) -> None:
        self._free = number
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._numbers = count()
        self._ranks: OrderedDict[str, int] = OrderedDict()

    @asynccontextmanager
    async def place(self, image_sha256: str) -> AsyncGenerator[None]:
        """Hold a place for a call about this image; "" is a call without an image, in the order in which it comes."""
        await self._enter(self._rank(image_sha256))
        try:
            yield
        finally:
            self._leave()

    def _rank(self, image_sha256: str) -> int:
        if not image_sha256:
            return next(self._numbers)
        if image_sha256 not in self._ranks:
            self._ranks[image_sha256] = next(self._numbers)
        self._ranks.move_to_end(image_sha256)
        while len(self._ranks) > _REMEMBERED:
            self._ranks.popitem(last=False)
        return self._ranks[image_sha256]

    async def _enter(self, rank: int) -> None:
        if self._free:  # then nobody waits: who leaves hands the place on
            self._free -= 1
            return
        turn = asyncio.get_running_loop().create_future()
        heappush(self._waiting, (rank, next(self._numbers), turn))
        try:
            await turn
        except asyncio.CancelledError:
            if not turn.cancelled():
                self._leave()  # the place came in the same moment
            raise

    def _leave(self) -> None:
        while self._waiting:
            turn = heappop(self._waiting)[2]
            if not turn.done():
                turn.set_result(None)
                return
        self._free += 1
