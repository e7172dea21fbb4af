"""How long a server that is away is waited for; no server is needed to know."""

from __future__ import annotations

import psycopg
import pytest

from anomagent.errors import StoreError
from anomagent.store.postgres import Patience


class Work:
    """Fails with the errors that it is given, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self._errors = list(errors)
        self.tries = 0

    async def __call__(self) -> str:
        self.tries += 1
        if self._errors:
            raise self._errors.pop(0)
        return "done"


def broken(count: int) -> list[Exception]:
    return [psycopg.OperationalError("connection to sesame99 lost") for _ in range(count)]


async def test_a_way_that_breaks_once_is_tried_again() -> None:
    work = Work(*broken(1))
    assert await Patience("ledger", 60).run(work) == "done"
    assert work.tries == 2


async def test_who_waited_in_vain_tries_once_until_a_try_succeeds() -> None:
    patience = Patience("ledger", 0.01)  # over after the first pause
    first, second, third = Work(*broken(9)), Work(*broken(9)), Work()
    for work in (first, second):
        with pytest.raises(StoreError, match="the Postgres of `ledger`: cannot be reached any more") as caught:
            await patience.run(work)
        assert "sesame99" not in f"{caught.value!r} {caught.value.__cause__!r}"
    assert (first.tries, second.tries) == (2, 1)

    assert await patience.run(third) == "done"
    again = Work(*broken(1))
    assert await patience.run(again) == "done"
    assert again.tries == 2


async def test_what_will_not_pass_is_not_tried_again() -> None:
    work = Work(psycopg.errors.InsufficientPrivilege("no"))
    with pytest.raises(StoreError, match="grant it CREATE"):
        await Patience("checkpoints", 60).run(work)
    assert work.tries == 1


async def test_a_mistake_of_ours_stays_what_it_is() -> None:
    with pytest.raises(psycopg.errors.SyntaxError):
        await Patience("checkpoints", 60).run(Work(psycopg.errors.SyntaxError("SELEC")))
