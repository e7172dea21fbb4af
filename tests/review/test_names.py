"""One person, one spelling; and what an answer may not say of itself."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from anomagent.errors import UsageError
from anomagent.review.names import spelled_before, tidy_name
from anomagent.state.reviews import FUTURE_SECONDS, Answer, GivenVerdict, ReportReview


@pytest.mark.parametrize(("text", "name"), [(" Ann  B. ", "Ann B."), ("e\u0301", "é"), ("名前", "名前")])
def test_names_are_tidied(text: str, name: str) -> None:
    assert tidy_name(text) == name
    assert given(annotator=text).annotator == name
    assert ReportReview.model_validate({"annotator": text, "verdicts": ["ACCEPT"]}).annotator == name


@pytest.mark.parametrize("text", ["", " \n", "x" * 81, "a\x07", "\u202ea", "\ud800"])
def test_names_that_cannot_be_shown(text: str) -> None:
    with pytest.raises(UsageError):
        tidy_name(text)


@pytest.mark.parametrize("text", ["", " \n", "x" * 81, "\ud800", 5, None])
def test_names_that_no_answer_can_have(text: Any) -> None:
    with pytest.raises(ValidationError, match="annotator"):
        given(annotator=text)


def test_a_known_name_is_offered_in_its_own_spelling() -> None:
    assert spelled_before("STRASSE", ["Ann", "Straße"]) == "Straße"
    assert spelled_before("ann", ["Ann", "ann"]) is None
    # Nobody can sign in as that, so it is not offered, and locks nobody out.
    assert spelled_before("Ann", ["ann ", "ANN\x07"]) is None


def given(**more: Any) -> Answer:
    return Answer.model_validate({"id": "an-answer", "anomaly": 1, "annotator": "Ann", "verdict": "ACCEPT", **more})


@pytest.mark.parametrize("verdict", ["ACCEPT", "UNSURE", "WITHDRAWN"])
def test_only_a_rejection_has_a_reason(verdict: str) -> None:
    assert given(verdict="REJECT", reason="trivial").reason == "trivial"
    assert given(verdict=verdict, reason=None).reason is None
    with pytest.raises(ValidationError, match="a reason belongs to REJECT alone"):
        given(verdict=verdict, reason="trivial")
    if verdict != "WITHDRAWN":
        with pytest.raises(ValidationError, match="a reason belongs to REJECT alone"):
            GivenVerdict.model_validate({"verdict": verdict, "reason": "trivial"})


def test_no_answer_comes_from_the_future() -> None:
    soon = datetime.now(UTC) + timedelta(seconds=FUTURE_SECONDS - 60)
    assert given(created=soon.isoformat()).created == soon.isoformat()
    assert given(created="2026-01-01T00:00:00").created == "2026-01-01T00:00:00"
    for wrong in ((soon + timedelta(minutes=2)).isoformat(), "2999-01-01", "yesterday"):
        with pytest.raises(ValidationError, match="created"):
            given(created=wrong)
