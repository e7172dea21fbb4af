from __future__ import annotations

import asyncio
import random
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import ConfigurationError, Malformed, OutOfBudget, Refused, Unavailable
from anomagent.models.budget import Budget, Estimates, largest_usage, usual_tokens
from anomagent.models.fake import FakeModel
from anomagent.models.prices import FREE, Price
from anomagent.models.types import Completion, Request, Turn, Usage
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.findings import ImageRef
from tests.models.server import HANGS, LIST, Server
from tests.models.talking import ANSWER_USD, talk

A_DOLLAR = Price(input=1_000_000.0, output=0.0)
"""A dollar a token."""

Step = tuple[int, int]
steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20)


def test_what_is_spent_and_promised_stays_within_the_limit() -> None:
    budget = Budget(10)
    with (
        budget.reserve("m", A_DOLLAR, Usage(6)),
        pytest.raises(OutOfBudget, match=r"0\.00 of 10\.00 USD spent, 6\.00 promised"),
    ):
        budget.reserve("m", A_DOLLAR, Usage(5)).__enter__()
    with budget.reserve("m", A_DOLLAR, Usage(10)) as reservation:
        reservation.spent = 4
    assert budget.spent == 4
    with pytest.raises(OutOfBudget), budget.reserve("m", A_DOLLAR, Usage(7)):
        pass
    with budget.reserve("m", A_DOLLAR, Usage(6)):
        pass


@given(steps)
def test_a_budget_is_kept_as_long_as_estimates_are_upper_bounds(steps: list[Step]) -> None:
    budget = Budget(12)
    for estimate, unused in steps:
        try:
            with budget.reserve("m", A_DOLLAR, Usage(estimate)) as reservation:
                reservation.spent = max(0, estimate - unused)
        except OutOfBudget:
            assert budget.spent + estimate > 12
    assert budget.spent <= 12


def test_what_never_finished_costs_nothing() -> None:
    budget = Budget(10)
    with pytest.raises(ZeroDivisionError), budget.reserve("m", A_DOLLAR, Usage(9)):
        raise ZeroDivisionError
    assert budget.spent == 0
    with budget.reserve("m", A_DOLLAR, Usage(10)):
        pass


def test_a_budget_needs_a_price() -> None:
    with pytest.raises(ConfigurationError, match=r"m has none: add it to your prices\.toml"):
        Budget(1).reserve("m", None, Usage(1)).__enter__()
    with Budget(None).reserve("m", None, Usage(1)):
        pass


def test_what_is_free_needs_no_budget() -> None:
    budget = Budget(0)
    with budget.reserve("m", FREE, Usage(1000, 0, 1000)):
        pass


def test_the_estimate_is_on_the_safe_side(image: ImageRef) -> None:
    prompt = replace(render_list(0), system="s" * 1000, text="t" * 3000)
    request = Request(prompt, "", "", max_pixels=600_000, max_tokens=500, temperature=None)
    large: ImageRef = {**image, "width": 4000, "height": 3000}

    # 4000 characters are about 1000 tokens; 600,000 pixels about 800 for the thirstiest of the usual models.
    assert largest_usage("m", request, large).input_tokens > 1800
    assert largest_usage("m", request, large).output_tokens == 500
    assert largest_usage("m", request, None).input_tokens < largest_usage("m", request, large).input_tokens
    assert largest_usage("m", request, {**large, "width": 1, "height": 1}).input_tokens == 1600 + 300 + 100
    repaired = replace(request, turns=(Turn("assistant", "a" * 1000),))
    assert largest_usage("m", repaired, large).input_tokens > largest_usage("m", request, large).input_tokens


def test_letters_of_several_bytes_count_as_much_as_they_may_cost() -> None:
    chinese = Request(replace(render_list(0), system="", text="\u753b" * 1000), None, "", 1, 10, None)
    # Many tokenizers take more than one token for such a letter; 3 bytes at 2.5 a token are 1.2.
    assert largest_usage("m", chinese, None).input_tokens == 1200 + 100


def test_a_documented_rule_counts_where_it_says_more(image: ImageRef) -> None:
    request = Request(replace(render_list(0), system="", text=""), "", "", 2_000_000, 10, None)
    large: ImageRef = {**image, "width": 1024, "height": 1024}
    # 2 x 2 tiles: 2833 + 4 * 5667; 1024 * 1024 / 600 = 1747.6 where no rule is known or the rule says less (765).
    assert largest_usage("openai:gpt-4o-mini", request, large).input_tokens == 25_501 + 100
    assert largest_usage("openai:gpt-4o", request, large).input_tokens == 1748 + 100
    assert largest_usage("openai:nobody-knows", request, large).input_tokens == 1748 + 100
    # As it is sent: 512 x 512 is one tile.
    small = replace(request, max_pixels=512 * 512)
    assert largest_usage("openai:gpt-4o-mini", small, large).input_tokens == 2833 + 5667 + 100


def test_the_usual_size_lies_below_the_largest(image: ImageRef) -> None:
    request = Request(render_list(0), "", "", max_pixels=600_000, max_tokens=2048, temperature=None)
    largest = largest_usage("m", request, image)
    assert largest.input_tokens / 2 < usual_tokens("m", request, image) < largest.input_tokens + 400
    short = replace(request, max_tokens=10)
    assert usual_tokens("m", request, image) - usual_tokens("m", short, image) == 390


def test_a_model_that_counts_more_corrects_the_estimate_for_itself_alone(image: ImageRef) -> None:
    request = Request(render_list(0), "", "", max_pixels=600_000, max_tokens=500, temperature=None)
    rule = largest_usage("m", request, image)
    estimates = Estimates()
    assert estimates.largest("thirsty", request, image) == rule

    estimates.learn("thirsty", request, image, Usage(30 * rule.input_tokens))
    estimates.learn("thirsty", request, image, Usage(rule.input_tokens))
    estimates.learn("modest", request, image, Usage(10))

    assert estimates.largest("thirsty", request, image) == Usage(30 * rule.input_tokens, 0, 500)
    assert estimates.largest("modest", request, image) == rule


def test_a_budget_says_where_it_stands() -> None:
    budget = Budget(10)
    with budget.reserve("m", A_DOLLAR, Usage(4)) as reservation:
        assert str(budget.standing) == "0.00 of 10.00 USD spent, 4.00 promised to calls in flight"
        reservation.spent = 3
    standing = budget.standing
    assert (standing.spent, standing.promised, standing.limit) == (3, 0, 10)
    assert str(standing) == "3.00 of 10.00 USD spent"
    assert str(Budget(None).standing) == "0.00 USD spent, no budget"


@pytest.mark.parametrize("seed", range(5))
async def test_fifty_tasks_never_pass_the_budget(seed: int, image: ImageRef) -> None:
    chance = random.Random(seed)

    def answer(request: Request) -> Completion:
        upper = largest_usage("m", request, image)
        kind = chance.choice(["good", "cut off", "malformed"])
        text, end = (LIST, "stop") if kind == "good" else ("{", "length" if kind == "cut off" else "stop")
        usage = Usage(chance.randint(1, upper.input_tokens), 0, chance.randint(1, request.max_tokens))
        return Completion(text, usage, end)  # type: ignore[arg-type]

    model = FakeModel().on(says=answer, delay=0.0001)
    limit = 0.1
    async with talk(image, client=model, budget_usd=limit, concurrency=50) as talking:
        outcomes = await asyncio.gather(*(talking.ask(slot=slot) for slot in range(50)), return_exceptions=True)

        budget = talking.seam.budget
        assert budget.spent <= limit
        assert budget.spent == pytest.approx(sum(row["usd"] or 0 for row in talking.ledger.attempts))
        assert budget.standing.promised == 0
        assert any(isinstance(outcome, OutOfBudget) for outcome in outcomes)
        assert budget.spent > 0


async def test_bad_answers_cost_money_and_ledger_hits_none(image: ImageRef) -> None:
    bad, good = Completion("no JSON", Usage(1000, 600, 50)), Completion(LIST, Usage(1000, 600, 50))
    no = Completion("I'm sorry, I can't help with that.", Usage(1000, 600, 50))
    model = FakeModel().on(slot=1, says=bad).on(slot=2, says=no).on(says=good)
    async with talk(image, client=model, budget_usd=5) as talking:
        budget = talking.seam.budget
        for _ in range(3):
            await talking.ask()
        assert budget.spent == pytest.approx(ANSWER_USD)
        with pytest.raises(Malformed):
            await talking.ask(slot=1)
        assert budget.spent == pytest.approx(3 * ANSWER_USD), "the repair turn was paid as well"
        with pytest.raises(Refused):
            await talking.ask(slot=2)
        assert budget.spent == pytest.approx(4 * ANSWER_USD)


async def test_a_server_that_does_not_count_costs_what_was_promised(image: ImageRef) -> None:
    model = FakeModel().on(says=Completion(LIST))
    async with talk(image, client=model, budget_usd=5) as talking:
        await talking.ask()
        (request,) = model.requests
        upper = largest_usage("m", request, image)
        # One dollar a million tokens read, two a million written.
        assert talking.seam.budget.spent == pytest.approx((upper.input_tokens + 2 * upper.output_tokens) / 1e6)


async def test_a_request_that_times_out_may_be_billed(server: Server, image: ImageRef) -> None:
    server.script = [HANGS]
    async with talk(image, url=server.url, timeout=0.1, budget_usd=5, attempts=2) as talking:
        with pytest.raises(Unavailable, match="no answer within"):
            await talking.ask()
        budget = talking.seam.budget
        # Two tries, each with room for 2048 tokens at two dollars a million.
        assert budget.spent > 2 * 2 * 2048e-6
        assert budget.standing.promised == 0


async def test_a_request_that_reaches_nobody_costs_nothing(image: ImageRef) -> None:
    async with talk(image, url="http://127.0.0.1:9/v1", budget_usd=5, attempts=2) as talking:
        with pytest.raises(Unavailable, match="could not be reached"):
            await talking.ask()
        assert talking.seam.budget.spent == 0


@pytest.mark.parametrize(
    ("message", "billed"),
    [
        ("m: no answer within 180 s", True),
        ("m: the server could not be reached or broke off: Request timed out.", True),
        ("m: the server could not be reached or broke off: ReadTimeout", True),
        ("m: the server failed (504): Gateway Time-out", True),
        ("m: the server could not be reached or broke off: Connection error.", False),
        ("m: the server failed (503): overloaded", False),
    ],
)
async def test_only_what_a_server_may_have_worked_on_is_spent(message: str, billed: bool, image: ImageRef) -> None:
    model = FakeModel().on(says=Unavailable(message))
    async with talk(image, client=model, budget_usd=5, attempts=1) as talking:
        with pytest.raises(Unavailable):
            await talking.ask()
        assert (talking.seam.budget.spent > 0) == billed
        (row,) = talking.ledger.attempts
        assert row["usd"] == pytest.approx(talking.seam.budget.spent)


async def test_a_budget_without_a_price_is_said_before_any_work(image: ImageRef) -> None:
    model = FakeModel()
    async with talk(image, client=model, budget_usd=5) as talking:
        await talking.seam.prepare(talking.context, ("ObjectPerceiver",))
        unknown = talking.context.model_copy(update={"scene_scanner": "openai:nobody-knows"})
        with pytest.raises(ConfigurationError, match="openai:nobody-knows has none"):
            await talking.seam.prepare(unknown, ("ObjectPerceiver", "SceneScanner"))
    async with talk(image, client=model) as talking:
        await talking.seam.prepare(unknown, ("SceneScanner",))
    assert model.requests == []


async def test_what_the_first_answer_teaches_stops_the_second_request(image: ImageRef) -> None:
    # A model that counts 100,000 tokens for a small picture: 0.10 USD a request, where the rule says below 0.01.
    model = FakeModel().on(says=Completion(LIST, Usage(100_000, 0, 10)))
    async with talk(image, client=model, budget_usd=0.15) as talking:
        await talking.ask()
        with pytest.raises(OutOfBudget, match=r"0\.10 of 0\.15 USD spent"):
            await talking.ask(slot=1)
    assert len(model.requests) == 1
