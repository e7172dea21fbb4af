"""A report is judged before it is stored, through the Python API, on a real workspace."""

from __future__ import annotations

import asyncio
import time
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.store import Workspace
from anomagent.store.reviews import read_answers
from tests.graph.place import Place


def verdicts_in(place: Place) -> list[tuple[str, str, str | None]]:
    answers = read_answers(Workspace.open(place.workspace))
    return [(answer.annotator, answer.verdict, answer.reason) for _, answer in answers]


def accept(request: dict[str, Any]) -> dict[str, Any]:
    first, *others = request["anomalies"]
    rejected = [{"verdict": "REJECT", "reason": "duplicate"} for _ in others]
    assert first["objects"] == ["cup"]
    return {"annotator": "ann", "verdicts": ["ACCEPT", *rejected]}


async def test_verdicts_are_stored_with_the_report(place: Place) -> None:
    analysis = await place.analyze(reviewer=accept)
    assert analysis.status == "ok"
    assert len(analysis.anomalies) == 3
    assert verdicts_in(place) == [
        ("ann", "ACCEPT", None),
        ("ann", "REJECT", "duplicate"),
        ("ann", "REJECT", "duplicate"),
    ]


async def test_a_reviewer_may_take_its_time(place: Place) -> None:
    async def later(request: dict[str, Any]) -> dict[str, Any]:
        await asyncio.sleep(1)
        return accept(request)

    began = time.monotonic()
    analysis = await place.analyze(reviewer=later)
    assert len(verdicts_in(place)) == 3
    assert analysis.seconds + 1 <= time.monotonic() - began, "it is not the analysis that took it"


async def test_a_bad_answer_keeps_the_analysis_waiting(place: Place) -> None:
    with pytest.raises(UsageError, match="not kept: 0 verdicts for 3 anomalies"):
        await place.analyze(reviewer=lambda _: {"annotator": "ann", "verdicts": []})
    asked = place.sent().total()
    analysis = await place.analyze(reviewer=accept)
    assert (place.sent().total(), analysis.usage.calls, len(verdicts_in(place))) == (0, asked, 3)


async def test_a_reviewer_who_leaves_loses_nothing(place: Place) -> None:
    def leave(_: dict[str, Any]) -> Any:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await place.analyze(reviewer=leave)
    place.sent()
    analysis = await place.analyze()
    assert place.sent().total() == 0
    assert analysis.status == "ok"
    assert verdicts_in(place) == []
