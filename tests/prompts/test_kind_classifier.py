from __future__ import annotations

import pytest
from pydantic import ValidationError

from anomagent.benchmark.kinds import KINDS
from anomagent.prompts.kind_classifier import Kinds, render_classify
from tests.prompts.examples import FIVE_LEGS, FLOATING_CUP

PROMPT = render_classify([FLOATING_CUP, FIVE_LEGS])


def test_every_kind_is_explained_and_may_be_answered() -> None:
    lines = PROMPT.text.splitlines()
    assert [line.split(":")[0] for line in lines if line.startswith("- ")] == [f"- {kind}" for kind in KINDS]
    assert Kinds.strict_schema()["properties"]["kinds"]["items"]["enum"] == list(KINDS)


def test_one_kind_for_each_anomaly_in_order() -> None:
    reply = PROMPT.reply.model_validate({"kinds": ["support", "identity"]})
    assert reply.model_dump() == {"kinds": ["support", "identity"]}


@pytest.mark.parametrize("kinds", [[], ["support"], ["support"] * 3], ids=len)
def test_another_number_of_kinds_is_no_reply(kinds: list[str]) -> None:
    with pytest.raises(ValidationError, match="there must be 2 kinds, one for each anomaly"):
        PROMPT.reply.model_validate({"kinds": kinds})


def test_an_unknown_kind_is_no_reply() -> None:
    with pytest.raises(ValidationError, match="literal_error"):
        PROMPT.reply.model_validate({"kinds": ["support", "gravity"]})
