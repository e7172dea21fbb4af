"""A sign of life in Postgres: a session that holds a lock, which the server takes away however its process ends."""

import secrets
import time
from collections.abc import Set
from contextlib import suppress
from threading import Event, Thread

import psycopg

from anomagent.store.postgres import connect, hang_up
from anomagent.store.postgres_schema import RELEASE_ALL, RENEW

GRACE_SECONDS = 5.0
"""How long the claims of an owner whose session has ended still hold: time to connect again after a break."""

_LOOKS = GRACE_SECONDS / 4
_GOODBYE_SECONDS = 5.0


class Pulse:
    """The owner of claims: a thread with a connection of its own, so that a busy event loop does not look dead.

    It holds the advisory lock numbered `owner`, renews the owner's claims, and connects again when the way breaks.
    Others may take the claims over once the lock is free for `GRACE_SECONDS`, or the lease has run out.
    """

    def __init__(self, url: str, lease_seconds: float, held: Set[str]) -> None:
        """`held`: keys whose claims are to be renewed; it may change meanwhile."""
        self.owner = secrets.randbits(62)
        self._url = url
        self._lease = lease_seconds
        self._held = held
        self._ended = Event()
        self._connection = connect(url)
        self._locked = False
        self._due = 0.0
        """When claims are to be renewed, on the monotonic clock."""
        try:
            self._beat()
        except BaseException:
            self._connection.close()
            raise
        self._thread = Thread(target=self._run, name="anomagent-pulse", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Give up all claims and be gone, or be gone without a server that is silent. Blocks; may be called twice."""
        self._ended.set()
        self._thread.join(_GOODBYE_SECONDS)
        if self._thread.is_alive():
            hang_up(self._connection)
            self._thread.join(_GOODBYE_SECONDS)

    def _run(self) -> None:
        while not self._ended.wait(min(_LOOKS, self._lease / 3)):
            try:
                if self._connection.closed:
                    self._connection, self._locked, self._due = connect(self._url), False, 0.0
                self._beat()
            except psycopg.Error:
                self._connection.close()
        with suppress(psycopg.Error):  # the server is away: leases run out by themselves
            self._connection.execute(RELEASE_ALL, (self.owner,))
        self._connection.close()

    def _beat(self) -> None:
        """Renew what is due and see that the way is open. A dead session of our own may hold the lock for a while."""
        if time.monotonic() >= self._due:
            self._due = time.monotonic() + self._lease / 3
            self._connection.execute(RENEW, (self._lease, self.owner, list(self._held)))
        if self._locked:
            self._connection.execute("SELECT")
        else:
            row = self._connection.execute("SELECT pg_try_advisory_lock(%s)", (self.owner,)).fetchone()
            self._locked = bool(row and row[0])
