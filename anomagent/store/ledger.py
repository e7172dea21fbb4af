"""The ledger of calls: what was answered once is never paid for again, whichever run or process asks."""

import asyncio
import sqlite3
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any, cast

from anomagent.errors import StoreError
from anomagent.models.types import Attempt
from anomagent.store.call_rows import COLUMNS
from anomagent.store.database import clean, now, store_errors
from anomagent.store.owner import Owner
from anomagent.store.workspace import Workspace
from anomagent.store.writer import Writer

LEASE_SECONDS = 60.0
"""How long a claim lasts after its holder's last sign of life, where its end cannot be seen in another way."""

_SELECT = f"SELECT {', '.join(COLUMNS)} FROM calls"
_INSERT = (
    f"INSERT INTO calls ({', '.join(COLUMNS)}, created) VALUES ({', '.join('?' * len(COLUMNS))}, ?)"
    " ON CONFLICT (key) WHERE status = 'good' DO NOTHING"
)
_CLAIM = "INSERT OR REPLACE INTO call_claims (key, owner, host, pid, expires) VALUES (?, ?, ?, ?, ?)"


class SqliteLedger:
    """The `Ledger` of a workspace. Every method returns when its change is committed; errors are `StoreError`s.

    A process may hold several, a workspace may be used by several processes. Close it when the work is done: claims
    that are left behind are given up, and so they are, at once, when the process is killed.
    """

    def __init__(self, workspace: Workspace, lease_seconds: float = LEASE_SECONDS) -> None:
        self._lease = lease_seconds
        self._held: set[str] = set()
        with store_errors(workspace.path):
            self._owner = Owner(workspace.locks)
        try:
            self._writer = Writer(workspace, beat=self._renew, every=lease_seconds / 3)
        except BaseException:
            self._owner.close()
            raise
        self._writer.post(self._forget)

    async def good(self, key: str) -> Attempt | None:
        """The good answer of `key`, if there is one."""
        return await self._writer.run(lambda connection: _good(connection, key), writes=False)

    async def claim(self, key: str) -> bool:
        """Try to become the one who asks `key`.

        False: somebody else is asking it right now, or a good answer has arrived since `good` was called; look again.
        """
        granted = False

        def take(connection: sqlite3.Connection) -> bool:
            nonlocal granted
            granted = self._take(connection, key)
            return granted

        try:
            await self._writer.run(take)
        except asyncio.CancelledError:
            # Nobody would ever release a claim that was granted to a cancelled task.
            with suppress(StoreError):  # closed meanwhile: then our claims are void anyway
                self._writer.post(lambda connection: self._drop(connection, key) if granted else None)
            raise
        if granted:
            self._held.add(key)
        return granted

    async def record(self, attempt: Attempt) -> None:
        """Write a finished request durably; it is written even where the caller is cancelled meanwhile.

        A good answer ends our claim on its key in the same transaction.
        """
        await self._writer.run(lambda connection: self._record(connection, attempt))
        if attempt["status"] == "good":
            self._held.discard(attempt["key"])

    async def release(self, key: str) -> None:
        """Give up the claim on `key`; nothing happens where we hold none."""
        if key in self._held:
            self._held.discard(key)
            await self._writer.run(lambda connection: self._drop(connection, key))

    async def aclose(self) -> None:
        """`close`, without blocking the event loop."""
        await asyncio.to_thread(self.close)

    def close(self) -> None:
        """Finish what was begun and give up our claims. May be called twice."""
        self._writer.close()
        self._owner.close()

    def _take(self, connection: sqlite3.Connection, key: str) -> bool:
        if connection.execute("SELECT 1 FROM calls WHERE key = ? AND status = 'good'", (key,)).fetchone():
            return False
        claim = connection.execute("SELECT owner, host, expires FROM call_claims WHERE key = ?", (key,)).fetchone()
        if claim and self._holds(*claim):
            return False
        row = (key, self._owner.id, self._owner.host, self._owner.pid, time.time() + self._lease)
        connection.execute(_CLAIM, row)
        return True

    def _holds(self, owner: str, host: str, expires: float) -> bool:
        """Whether a claim is still held. A clock that jumps must not end the claims of a process that lives."""
        if self._owner.is_gone(owner):
            return False
        return (host == self._owner.host and self._owner.is_locked) or expires > time.time()

    def _forget(self, connection: sqlite3.Connection) -> None:
        """Drop the claims of those who are gone."""
        claims = connection.execute(
            "SELECT DISTINCT owner, host, max(expires) FROM call_claims GROUP BY owner"
        ).fetchall()
        for owner, host, expires in claims:
            if not self._holds(owner, host, expires):
                connection.execute("DELETE FROM call_claims WHERE owner = ?", (owner,))

    def _record(self, connection: sqlite3.Connection, attempt: Attempt) -> None:
        """A second good answer, of a claim that was stolen from a process that slept, stays on record as a spare."""
        if connection.execute(_INSERT, _row(attempt, attempt["status"])).rowcount == 0:
            connection.execute(_INSERT, _row(attempt, "spare"))
        if attempt["status"] == "good":
            self._drop(connection, attempt["key"])

    def _drop(self, connection: sqlite3.Connection, key: str) -> None:
        connection.execute("DELETE FROM call_claims WHERE key = ? AND owner = ?", (key, self._owner.id))

    def _renew(self, connection: sqlite3.Connection) -> None:
        """Prolong our claims, for calls that take longer than a lease."""
        if self._held:
            expires = time.time() + self._lease
            connection.execute("UPDATE call_claims SET expires = ? WHERE owner = ?", (expires, self._owner.id))


def read_calls(workspace: Workspace, keys: Sequence[str]) -> list[Attempt]:
    """Every finished request of these calls, bad ones too, oldest first within the order of `keys`."""
    with workspace.reading() as connection:
        rows = [row for key in keys for row in connection.execute(f"{_SELECT} WHERE key = ? ORDER BY id", (key,))]
    return [_attempt(row) for row in rows]


def _good(connection: sqlite3.Connection, key: str) -> Attempt | None:
    row = connection.execute(f"{_SELECT} WHERE key = ? AND status = 'good'", (key,)).fetchone()
    return _attempt(row) if row else None


def _attempt(row: Sequence[Any]) -> Attempt:
    return cast(Attempt, dict(zip(COLUMNS, row, strict=True)))


def _row(attempt: Attempt, status: str) -> list[object]:
    values: dict[str, object] = {**attempt, "status": status}
    return [clean(values[column]) for column in COLUMNS] + [now()]
