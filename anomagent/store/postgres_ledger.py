"""The ledger of calls in Postgres, for workers on many machines. Its laws are those of `SqliteLedger`."""

import asyncio
import uuid
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any, Self, TypeVar, cast

from psycopg import sql
from psycopg.rows import dict_row

from anomagent.errors import StoreError
from anomagent.models.types import Attempt
from anomagent.store.database import clean
from anomagent.store.ledger import LEASE_SECONDS
from anomagent.store.postgres import (
    PATIENCE_SECONDS,
    Patience,
    Pool,
    check_encoding,
    open_pool,
    postgres_errors,
    stamp,
)
from anomagent.store.postgres_pulse import GRACE_SECONDS, Pulse
from anomagent.store.postgres_schema import (
    CALLS,
    CLAIM,
    DOUBT,
    FORGET_EXPIRED,
    GOOD,
    KNOWN,
    RECORD,
    RELEASE,
    SEED,
    TABLES,
)

SETTING = "ledger"

_CONNECTIONS = 8
T = TypeVar("T")


class PostgresLedger:
    """A `Ledger` that any number of processes share. Methods return when their change is committed on the server.

    Errors are `StoreError`s, after some patience with a server that is away. Needs sessions of its own: a pooler in
    between must not be in transaction mode. Belongs to one event loop; close it when the work is done.
    """

    def __init__(self, pool: Pool, pulse: Pulse, held: set[str], lease_seconds: float, patience: float) -> None:
        """`held` has the keys that we have claimed or are claiming; the pulse renews these."""
        self._pool = pool
        self._pulse = pulse
        self._held = held
        self._lease = lease_seconds
        self._patience = Patience(SETTING, patience)
        self._begun: set[asyncio.Task[Any]] = set()
        self._closed = False

    @classmethod
    async def open(cls, url: str, lease_seconds: float = LEASE_SECONDS, patience: float = PATIENCE_SECONDS) -> Self:
        """Connect to the database at `url` and make the tables where they are missing.

        Raises `ConfigurationError` where the server cannot be used.
        """
        pool, held = await open_pool(url, SETTING, _CONNECTIONS), set[str]()
        try:
            with postgres_errors(SETTING):
                async with pool.connection() as connection:
                    await check_encoding(connection, SETTING)
                    async with connection.transaction():
                        await connection.execute(TABLES)
                    await connection.execute(FORGET_EXPIRED)
                pulse = await asyncio.to_thread(Pulse, url, lease_seconds, held)
        except BaseException:
            await pool.close()
            raise
        return cls(pool, pulse, held, lease_seconds, patience)

    async def good(self, key: str) -> Attempt | None:
        """The good answer of `key`, if there is one."""
        rows = await self.run(GOOD, (key,))
        return cast(Attempt, rows[0]) if rows else None

    async def claim(self, key: str) -> bool:
        """Try to become the one who asks `key`.

        False: somebody else is asking it right now, or a good answer has arrived since `good` was called; look again.
        True may, rarely, come just after a good answer: look once more before asking.
        """
        taking = self._begin(self._take(key))
        try:
            return await asyncio.shield(taking)
        except asyncio.CancelledError:
            # Nobody would ever release a claim that was granted to a cancelled task.
            await asyncio.wait([self._begin(self._give_back(taking, key))])
            raise

    async def record(self, attempt: Attempt) -> None:
        """Write a finished request durably; it is written even where the caller is cancelled meanwhile.

        A good answer ends our claim on its key in the same transaction. A second good answer, of a claim that was lost
        to another worker, stays on record as a spare.
        """
        row = {column: _text(value) for column, value in attempt.items()}
        await asyncio.shield(self._begin(self.run(RECORD, {**row, "record": uuid.uuid4(), "owner": self._pulse.owner})))
        if attempt["status"] == "good":
            self._held.discard(attempt["key"])

    async def release(self, key: str) -> None:
        """Give up the claim on `key`; nothing happens where we hold none."""
        if key in self._held:
            self._held.discard(key)
            await asyncio.shield(self._begin(self.run(RELEASE, (key, self._pulse.owner))))

    async def calls(self, keys: Sequence[str]) -> list[dict[str, Any]]:
        """Every finished request of these calls, oldest first, as rows that `copy_calls` takes."""
        rows = await self.run(CALLS, (list(keys),))
        return [{**row, "created": stamp(row["created"])} for row in rows]

    async def add_missing(self, rows: Sequence[Mapping[str, Any]]) -> int:
        """Bring good answers of another ledger here, and return how many: those that are here stay as they are."""
        known = {row["key"] for row in await self.run(KNOWN, ([row["key"] for row in rows],))}
        missing = [
            {column: _text(value) for column, value in row.items()} | {"record": uuid.uuid4()}
            for row in rows
            if row["key"] not in known
        ]
        if missing:
            await self._patience.run(lambda: self._insert(missing))
        return len(missing)

    async def aclose(self) -> None:
        """Finish what was begun, as far as patience goes, and give up our claims. May be called twice."""
        while self._begun:
            await asyncio.wait(self._begun)
        self._closed = True
        await asyncio.to_thread(self._pulse.close)
        await self._pool.close()

    async def _take(self, key: str) -> bool:
        if key in self._held:  # by another task: to the server all of us are one
            return False
        self._held.add(key)
        try:
            if await self.run(CLAIM, {"key": key, "owner": self._pulse.owner, "lease": self._lease}):
                return True
        except BaseException:
            self._held.discard(key)
            raise
        self._held.discard(key)
        await self.run(DOUBT, {"key": key, "grace": GRACE_SECONDS})
        return False

    async def _give_back(self, taking: asyncio.Task[bool], key: str) -> None:
        await asyncio.wait([taking])
        if not taking.exception() and taking.result():
            await self.release(key)

    async def run(
        self, query: sql.SQL | sql.Composed, values: Sequence[object] | Mapping[str, object]
    ) -> list[dict[str, Any]]:
        """The rows of a statement. It may be run twice, when the way to the server breaks in the middle of it."""
        if self._closed:
            raise StoreError("the ledger is closed; open a new one")
        return await self._patience.run(lambda: self._once(query, values))

    async def _insert(self, rows: Sequence[Mapping[str, Any]]) -> None:
        async with self._pool.connection() as connection, connection.transaction(), connection.cursor() as cursor:
            await cursor.executemany(SEED, rows)

    async def _once(
        self, query: sql.SQL | sql.Composed, values: Sequence[object] | Mapping[str, object]
    ) -> list[dict[str, Any]]:
        async with self._pool.connection() as connection, connection.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(query, values)
            return await cursor.fetchall() if cursor.description else []

    def _begin(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Start work that goes on to its end even where whoever waits for it is cancelled."""
        task = asyncio.get_running_loop().create_task(work)
        self._begun.add(task)
        task.add_done_callback(self._begun.discard)
        return task


def _text(value: Any) -> Any:
    """`value` as Postgres can store it: what it knows no way to write becomes a question mark."""
    return clean(value).replace("\0", "?") if isinstance(value, str) else value
