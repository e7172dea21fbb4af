"""Money: a budget ends a batch before it is passed, and what was cut short has cost something all the same."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from anomagent.batch.configuration import unpriced_model
from anomagent.batch.local import LocalEngine
from anomagent.batch.plan import Plan
from anomagent.config import Settings, load_settings
from anomagent.errors import ConfigurationError, Refused
from anomagent.models.types import Completion, Request
from tests.batch.folder import Folder


class TestBudget:
    """A call has about 400 input tokens, here 0.4 USD; what it may cost at most is promised before it is sent."""

    @pytest.fixture(autouse=True)
    def _prices(self, folder: Folder) -> None:
        folder.draw(*(f"images/{number}.png" for number in range(12)))
        Path("prices.toml").write_text('[models]\n"fake:x" = {input = 1000, output = 0}\n')

    async def test_ends_the_batch_before_it_is_passed(self, folder: Folder) -> None:
        tally = await folder.run(budget_usd=2, prices="prices.toml", concurrency=1)
        assert (tally.stopped, tally.exit_code, tally.failed, tally.partial) == ("budget", 3, 0, 0)
        assert 0 < (tally.usage.usd or 0) <= 2
        assert tally.left == 12 - tally.ok > 0
        assert folder.sent() == tally.ok

    async def test_what_it_cut_short_goes_on_and_counts_as_no_failure(self, folder: Folder) -> None:
        first = await folder.run(budget_usd=2, prices="prices.toml")
        again = await folder.run()
        assert (again.ok, again.already_done, again.failed_earlier, again.exit_code) == (12 - first.ok, first.ok, 0, 0)
        assert folder.sent() == 12
        assert set(folder.ledger().values()) == {1}

    async def test_retrying_failures_does_not_mean_them(self, folder: Folder) -> None:
        first = await folder.run(budget_usd=2, prices="prices.toml")
        folder.sent()
        tally = await folder.run(which="failed")
        assert (tally.done, tally.left, folder.sent()) == (0, 12 - first.ok, 0)

    async def test_what_images_cut_short_have_cost_is_counted(self, folder: Folder) -> None:
        # Without objects it is 11 calls of about 0.44 USD: 3 USD pay for some of them, and not for all.
        tally = await folder.run("images/1.png", schedule="paper", budget_usd=3, prices="prices.toml", concurrency=1)
        (kept,) = folder.read("SELECT count(*), sum(input_tokens), sum(usd) FROM calls")
        assert (tally.stopped, tally.done) == ("budget", 0)
        assert (tally.usage.calls, tally.usage.input_tokens) == kept[:2]
        assert tally.usage.calls == folder.sent() > 0
        assert 0 < kept[2] <= 3
        assert tally.usage.usd == tally.as_dict()["spent_usd"] == pytest.approx(kept[2])

    async def test_what_was_given_up_in_work_has_cost_money_too(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        class Impatient(LocalEngine):
            """Ends at once when the third call is sent, as a second interrupt would."""

            async def analyze(self, settings: Settings, plan: Plan, *others: Any) -> None:
                *_, stop, _ = others
                answer = folder.model.complete

                async def complete(request: Request) -> Completion:
                    if len(folder.model.requests) == 2:
                        stop.now("interrupted")
                        await asyncio.Event().wait()
                    return await answer(request)

                monkeypatch.setattr(folder.model, "complete", complete)
                await super().analyze(settings, plan, *others)

        tally = await folder.run(
            "images/1.png", schedule="paper", engine=Impatient(), prices="prices.toml", concurrency=1
        )
        ((count, tokens, usd),) = folder.read("SELECT count(*), sum(input_tokens), sum(usd) FROM calls")
        assert (tally.stopped, tally.done, count) == ("interrupted", 0, 2)
        assert (tally.usage.calls, tally.usage.input_tokens) == (count, tokens)
        assert tally.as_dict()["spent_usd"] == tally.usage.usd == pytest.approx(usd)
        assert usd > 0

    async def test_retrying_a_failure_that_it_cut_short_remembers_the_failure(self, folder: Folder) -> None:
        folder.model.on(says=Refused("not this one"))
        await folder.run("images/1.png")
        folder.model.rules.clear()
        folder.sent()
        cut = await folder.run("images/1.png", which="failed", budget_usd=0.01, prices="prices.toml")
        assert (cut.stopped, cut.done, folder.sent()) == ("budget", 0, 0)
        tally = await folder.run("images/1.png", which="failed")
        assert (tally.ok, folder.sent()) == (1, 1)


async def test_a_budget_needs_known_prices(folder: Folder) -> None:
    folder.draw("images/1.png")
    with pytest.raises(ConfigurationError, match="openai:mystery"):
        await folder.run(model="openai:mystery", base_url="http://mystery.example/v1", budget_usd=1)
    assert folder.read("SELECT * FROM runs") == []
    assert unpriced_model(load_settings(model="openai:mystery")) == "openai:mystery"
    assert unpriced_model(load_settings(model="openai:gpt-4o")) is None
