"""Several servers of one model behind one client: which is asked next, and which is left out for a while."""

import hashlib
import time
from collections.abc import Generator, Mapping
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field

from anomagent.errors import ModelError, RateLimited, Unavailable
from anomagent.models.pace import Clock
from anomagent.models.types import Client, Completion, Request

PATIENCE = 3
"""Failures in a row after which a server counts as sick."""
FIRST_REST, LONGEST_REST = 5.0, 60.0
"""Seconds for which a server is left out: the first after any failure, doubled with each failure of a sick one."""
_SLACK = 4
"""Requests in flight by which an image's own server may be ahead of the others (and twice what the idlest has)."""


@dataclass
class _Server:
    """One server and how it does."""

    name: str
    client: Client
    in_flight: int = 0
    used: int = 0
    """The number of the last request that it got."""
    failures: int = 0
    """In a row."""
    failed_at: float = 0.0
    rests_until: float = float("-inf")
    probed: bool = False
    """Sick, and one request is out to see whether it still is."""

    @property
    def sick(self) -> bool:
        return self.failures >= PATIENCE

    def answered(self) -> None:
        """It works, whatever it said. A rest that it asked for itself goes on."""
        if self.failures:
            self.failures, self.rests_until = 0, float("-inf")

    def failed(self, begun: float, now: float) -> None:
        """One outage fails many requests at once: of a sick server only those sent after the last failure count."""
        if self.sick and begun <= self.failed_at:
            return
        self.failures, self.failed_at = self.failures + 1, now
        doublings = max(0, self.failures - PATIENCE + 1)
        self.rest(now + min(FIRST_REST * 2 ** min(doublings, 16), LONGEST_REST))

    def rest(self, until: float) -> None:
        """Leave it alone until then."""
        self.rests_until = max(self.rests_until, until)


@dataclass
class Endpoints:
    """A client that spreads requests over the servers in `clients`, by public name; the first one gives the identity.

    Ledger keys hold the identity, so adding or removing further servers repeats no call, and all of them must serve
    the same model with the same set-up. Each image has a server of its own, chosen by hash, so that the many calls
    about it find its tokens in that server's prefix cache; it is passed over while it is away, or much busier than
    the others. Everything else goes to the server with the fewest requests in flight, in turn.

    A server that is `Unavailable` is avoided for five seconds; after `PATIENCE` failures in a row it is left out for
    growing times and then tried with one request. With all of them away the one that failed least recently is asked,
    so that its error is heard. Nothing is sent twice here: trying again is up to the dispatcher, and goes elsewhere.
    """

    clients: Mapping[str, Client]
    clock: Clock = time.monotonic
    identity: str = field(init=False)

    def __post_init__(self) -> None:
        self._servers = [_Server(name, client) for name, client in self.clients.items()]
        self._sent = 0
        self.identity = self._servers[0].client.identity

    async def complete(self, request: Request) -> Completion:
        """Send `request` to one server. Raises its `ModelError`."""
        server = self._choose(request.image_sha256)
        with self._in_flight(server) as begun:
            try:
                completion = await server.client.complete(request)
            except ModelError as error:
                self._take_notice(server, error, begun)
                raise
            server.answered()
            return completion

    async def aclose(self) -> None:
        """Close all of them, even if one cannot be."""
        async with AsyncExitStack() as stack:
            for server in self._servers:
                stack.push_async_callback(server.client.aclose)

    @contextmanager
    def _in_flight(self, server: _Server) -> Generator[float]:
        probe = server.sick and not server.probed
        server.probed = server.probed or probe
        self._sent += 1
        server.in_flight, server.used = server.in_flight + 1, self._sent
        try:
            yield self.clock()
        finally:
            server.in_flight -= 1
            server.probed = server.probed and not probe

    def _take_notice(self, server: _Server, error: ModelError, begun: float) -> None:
        if isinstance(error, Unavailable):
            server.failed(begun, self.clock())
            return
        server.answered()
        if isinstance(error, RateLimited):
            server.rest(self.clock() + (error.retry_after or FIRST_REST))
            if self._well():
                error.retry_after = None  # that was about this server; another may be asked at once

    def _choose(self, image_sha256: str) -> _Server:
        now = self.clock()
        rested = [server for server in self._servers if server.sick and server.rests_until <= now and not server.probed]
        if rested:
            return min(rested, key=lambda server: server.failed_at)
        well = self._well()
        if not well:
            return min(self._servers, key=lambda server: (server.sick, server.failed_at, server.used))
        if image_sha256:
            least = min(server.in_flight for server in well)
            close = [server for server in well if server.in_flight < 2 * least + _SLACK]
            return max(close, key=lambda server: _affinity(server.name, image_sha256))
        return min(well, key=lambda server: (server.in_flight, server.used))

    def _well(self) -> list[_Server]:
        now = self.clock()
        return [server for server in self._servers if not server.sick and server.rests_until <= now]


def _affinity(name: str, image_sha256: str) -> bytes:
    """Rendezvous hashing: the highest wins, so a server that goes or comes moves only its own images."""
    return hashlib.sha256(f"{name}\0{image_sha256}".encode()).digest()
