"""The money of a batch that many workers spend: one pot in Postgres, from which each draws what its next calls need.

A worker may spend what it was granted and no more, so all of them together never pass the budget, whoever dies or is
cut off. What a worker was granted and has not spent goes back to the pot when it has nothing to do and when it dies.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from threading import Timer
from typing import Any

import psycopg
from psycopg import sql

from anomagent.models.types import Usage
from anomagent.store.postgres import connect, hang_up, postgres_errors
from anomagent.store.postgres_ledger import SETTING, PostgresLedger

_PATIENCE_SECONDS = 5
"""How long a worker, which does nothing else meanwhile, waits for the server."""

_FILL = sql.SQL("INSERT INTO anomagent_budgets (batch, usd) VALUES (%s, %s) ON CONFLICT DO NOTHING")
_ENROL = sql.SQL("""
    INSERT INTO anomagent_grants (worker, batch) SELECT unnest(%s::text[]), %s ON CONFLICT DO NOTHING
""")
_EMPTY = sql.SQL("DELETE FROM anomagent_budgets WHERE batch = %s")
_BEGIN = sql.SQL("UPDATE anomagent_grants SET life = life + 1 WHERE worker = %s RETURNING life")
_SPENT = sql.SQL("""
    SELECT coalesce(sum(usd), 0) AS usd FROM anomagent_calls WHERE client = %s AND client LIKE 'anomagent-%%'
""")
"""The pattern is that of the index."""

_DRAW = sql.SQL("""
    WITH drawn AS (
        UPDATE anomagent_budgets SET
            taken = %(missing)s + least(%(spare)s, (usd - %(missing)s) / 16),
            usd = usd - %(missing)s - least(%(spare)s, (usd - %(missing)s) / 16)
        WHERE batch = (SELECT batch FROM anomagent_grants WHERE worker = %(worker)s AND life = %(life)s)
            AND usd >= %(missing)s RETURNING taken
    ), granted AS (
        UPDATE anomagent_grants SET usd = usd + drawn.taken FROM drawn WHERE worker = %(worker)s
        RETURNING anomagent_grants.usd
    )
    SELECT coalesce(
        (SELECT usd FROM granted),
        (SELECT usd FROM anomagent_grants WHERE worker = %(worker)s AND life = %(life)s), 0)
""")
"""All that is missing, or nothing, and less to spare when little is left; gives what the worker was granted in all. An
UPDATE returns new values only, so `taken` carries what left the pot, and `back` below what returns to it."""

_RETURN = sql.SQL("""
    WITH settled AS (
        UPDATE anomagent_grants SET back = usd - %(keep)s, usd = %(keep)s WHERE worker = %(worker)s AND life = %(life)s
        RETURNING batch, back
    )
    UPDATE anomagent_budgets SET usd = anomagent_budgets.usd + back FROM settled
    WHERE anomagent_budgets.batch = settled.batch
""")
"""The rest goes back to the pot. A worker that spent more than it was granted takes the difference from there."""

_PAID = sql.SQL("""
    SELECT client, count(*) AS requests, sum(input_tokens)::bigint AS input_tokens,
        sum(cached_input_tokens)::bigint AS cached_input_tokens, sum(output_tokens)::bigint AS output_tokens,
        coalesce(sum(usd), 0) AS usd
    FROM anomagent_calls WHERE client = ANY(%s) AND client LIKE 'anomagent-%%' GROUP BY client
""")


class Pot:
    """The driver's side: fills the pot, takes back what the dead leave, and counts what was paid."""

    def __init__(self, ledger: PostgresLedger, batch: str, workers: Sequence[str]) -> None:
        """`workers`: what they are called in Postgres."""
        self._ledger = ledger
        self._batch = batch
        self._workers = list(workers)

    async def fill(self, usd: float) -> None:
        """Put the budget in, before the first worker comes."""
        await self._ledger.run(_FILL, (self._batch, usd))
        await self._ledger.run(_ENROL, (self._workers, self._batch))

    async def bury(self, worker: str, life: int) -> None:
        """Take back what a worker that died in its `life` had not spent; nothing where it has begun another one.

        Calls that it had in flight are not known to have cost anything.
        """
        (spent,) = await self._ledger.run(_SPENT, (worker,))
        await self._ledger.run(_RETURN, {"worker": worker, "life": life, "keep": spent["usd"]})

    async def empty(self) -> None:
        """Remove the pot; nobody can draw any more."""
        await self._ledger.run(_EMPTY, (self._batch,))

    async def paid(self, reported: Mapping[str, float]) -> tuple[float, int, Usage]:
        """US dollars, requests and tokens that all workers paid, whatever became of the images.

        Of each worker's money what it reported or what the ledger recorded, whichever is more: the one counts requests
        that may have been billed without an answer, the other what was paid before a death.
        """
        rows = {row["client"]: row for row in await self._ledger.run(_PAID, (self._workers,))}
        usd = sum(max(rows[name]["usd"] if name in rows else 0.0, reported.get(name, 0.0)) for name in self._workers)
        names = ("input_tokens", "cached_input_tokens", "output_tokens")
        usage = Usage(*(sum(row[name] for row in rows.values()) for name in names))
        return usd, sum(row["requests"] for row in rows.values()), usage


class Purse:
    """A worker's side; the `Source` of its `Budget`. Blocks, for milliseconds, seldom, and some seconds at most.

    A lost reply does no harm: the next one says what was granted in all.
    """

    def __init__(self, url: str, worker: str) -> None:
        """Begin a new life: what an earlier one had not spent goes back. Raises `StoreError`."""
        self._url = url
        self._worker = worker
        self._connection: psycopg.Connection | None = None
        (self.life,) = self._ask(_BEGIN, (worker,)) or (0,)
        """How often this worker was started."""
        (spent,) = self._ask(_SPENT, (worker,)) or (0.0,)
        self.spent = float(spent)
        """US dollars that earlier lives have spent."""
        self.give_back(self.spent)

    def draw(self, missing: float, spare: float) -> float:
        """Take `missing` US dollars from the pot, and up to `spare` more; returns what was granted in all so far.

        Where the pot does not have all that is missing nothing is taken. Raises `StoreError`.
        """
        values = {"worker": self._worker, "life": self.life, "missing": missing, "spare": spare}
        (granted,) = self._ask(_DRAW, values) or (0.0,)
        return float(granted)

    def give_back(self, keep: float) -> None:
        """Keep as much of the grant as was spent. Raises `StoreError`."""
        self._ask(_RETURN, {"worker": self._worker, "life": self.life, "keep": keep})

    def close(self) -> None:
        """Give up the connection."""
        if self._connection:
            self._connection.close()

    def _ask(self, query: sql.SQL, values: Sequence[object] | Mapping[str, object]) -> tuple[Any, ...] | None:
        """The first row of a statement, over a new connection where the old one has broken."""
        with postgres_errors(SETTING):
            if self._connection:
                with suppress(psycopg.OperationalError, psycopg.InterfaceError):
                    return self._once(self._connection, query, values)
                self._connection.close()
            self._connection = connect(self._url, connect_timeout=_PATIENCE_SECONDS)
            return self._once(self._connection, query, values)

    def _once(self, connection: psycopg.Connection, query: sql.SQL, values: Any) -> tuple[Any, ...] | None:
        watch = Timer(_PATIENCE_SECONDS, hang_up, (connection,))
        watch.start()
        try:
            cursor = connection.execute(query, values)
            return cursor.fetchone() if cursor.description else None
        finally:
            watch.cancel()
