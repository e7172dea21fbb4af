"""Answers of people are checked where they enter."""

import math
from typing import Any

import pytest
from pydantic import ValidationError

from anomagent.state.reviews import LONGEST_NAME, LONGEST_NOTE, REASONS, VERDICTS, Answer


def answer(**changes: Any) -> Answer:
    return Answer.model_validate({"id": "answer-1", "anomaly": 1, "annotator": "ada", "verdict": "ACCEPT"} | changes)


def test_what_can_be_answered() -> None:
    assert VERDICTS == ("ACCEPT", "REJECT", "UNSURE")
    assert REASONS == ("not_visible", "wrong_reason", "duplicate", "trivial", "wrong_object")
    for verdict in (*VERDICTS, "WITHDRAWN"):
        assert answer(verdict=verdict).verdict == verdict
    for reason in REASONS:
        assert answer(verdict="REJECT", reason=reason).reason == reason


def test_an_answer_by_itself_is_an_annotators_without_anything_more() -> None:
    given = answer()
    assert (given.capacity, given.reason, given.note, given.seconds, given.created) == ("annotator",) + (None,) * 4


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "short"},
        {"id": "x" * 65},
        {"id": "answer 1"},
        {"id": "answer-1\n"},
        {"id": "../../etc"},
        {"anomaly": "one"},
        {"annotator": ""},
        {"annotator": "x" * (LONGEST_NAME + 1)},
        {"annotator": "\ud800"},
        {"verdict": "accept"},
        {"verdict": "MAYBE"},
        {"reason": "ugly"},
        {"note": "x" * (LONGEST_NOTE + 1)},
        {"seconds": -0.1},
        {"seconds": math.nan},
        {"seconds": math.inf},
        {"capacity": "boss"},
        {"mood": "good"},
    ],
    ids=str,
)
def test_what_no_answer_is(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        answer(**wrong)


def test_an_answer_is_not_changed() -> None:
    given = answer()
    with pytest.raises(ValidationError):
        given.verdict = "REJECT"  # type: ignore[misc]
