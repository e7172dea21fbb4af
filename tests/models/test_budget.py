from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import ConfigurationError, OutOfBudget
from anomagent.models.budget import Budget, largest_usage
from anomagent.models.prices import FREE, Price
from anomagent.models.types import Request, Turn, Usage
from anomagent.prompts.object_perceiver import render_list
from anomagent.state.findings import ImageRef

A_DOLLAR = Price(input=1_000_000.0, output=0.0)
"""A dollar a token."""

Step = tuple[int, int]
steps = st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=20)


def test_what_is_spent_and_promised_stays_within_the_limit() -> None:
    budget = Budget(10)
    with budget.reserve(A_DOLLAR, Usage(6)), pytest.raises(OutOfBudget, match=r"10\.00 USD \(0\.00 are spent\)"):
        budget.reserve(A_DOLLAR, Usage(5)).__enter__()
    with budget.reserve(A_DOLLAR, Usage(10)) as reservation:
        reservation.spent = 4
    assert budget.spent == 4
    with pytest.raises(OutOfBudget), budget.reserve(A_DOLLAR, Usage(7)):
        pass
    with budget.reserve(A_DOLLAR, Usage(6)):
        pass


@given(steps)
def test_a_budget_is_kept_as_long_as_estimates_are_upper_bounds(steps: list[Step]) -> None:
    budget = Budget(12)
    for estimate, unused in steps:
        try:
            with budget.reserve(A_DOLLAR, Usage(estimate)) as reservation:
                reservation.spent = max(0, estimate - unused)
        except OutOfBudget:
            assert budget.spent + estimate > 12
    assert budget.spent <= 12


def test_what_never_finished_costs_nothing() -> None:
    budget = Budget(10)
    with pytest.raises(ZeroDivisionError), budget.reserve(A_DOLLAR, Usage(9)):
        raise ZeroDivisionError
    assert budget.spent == 0
    with budget.reserve(A_DOLLAR, Usage(10)):
        pass


def test_a_budget_needs_a_price() -> None:
    with pytest.raises(ConfigurationError, match=r"add the model to your prices\.toml"):
        Budget(1).reserve(None, Usage(1)).__enter__()
    with Budget(None).reserve(None, Usage(1)):
        pass


def test_what_is_free_needs_no_budget() -> None:
    budget = Budget(0)
    with budget.reserve(FREE, Usage(1000, 0, 1000)):
        pass


def test_the_estimate_is_on_the_safe_side(image: ImageRef) -> None:
    prompt = replace(render_list(0), system="s" * 1000, text="t" * 3000)
    request = Request(prompt, "", "", max_pixels=600_000, max_tokens=500, temperature=None)
    large: ImageRef = {**image, "width": 4000, "height": 3000}

    # 4000 characters are about 1000 tokens; 600,000 pixels about 800 for the thirstiest of the usual models.
    assert largest_usage(request, large).input_tokens > 1800
    assert largest_usage(request, large).output_tokens == 500
    assert largest_usage(request, None).input_tokens < largest_usage(request, large).input_tokens
    assert largest_usage(request, {**large, "width": 1, "height": 1}).input_tokens < 1800
    repaired = replace(request, turns=(Turn("assistant", "a" * 1000),))
    assert largest_usage(repaired, large).input_tokens > largest_usage(request, large).input_tokens
