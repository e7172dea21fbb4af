"""Answers that leave and come back are the same answers."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.review.exchange.export import Format, export_review
from anomagent.review.exchange.importing import import_review
from anomagent.state.reviews import REASONS, VERDICTS, Answer
from anomagent.store import Workspace
from anomagent.store.exchange import reading_review
from anomagent.store.reviews import append_answers

PEOPLE = ("Ann", "=cmd|' /C calc'!A0", 'Ünal, "the" first', "7", "@SUM(1)")
notes = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12).filter(str.strip)
said = st.fixed_dictionaries(
    {
        "anomaly": st.integers(1, 6),
        "annotator": st.sampled_from(PEOPLE),
        "verdict": st.sampled_from([*VERDICTS, "WITHDRAWN"]),
        "reason": st.none() | st.sampled_from(REASONS),
        "note": st.none() | st.sampled_from(["=1+1", "-2", "a\r\nb\rc", ' "quoted", ', "\x00\x1b[31m"]) | notes,
        "seconds": st.none() | st.floats(0, 86_400),
        "capacity": st.sampled_from(["annotator", "adjudicator"]),
    }
)


def answers_of(rows: Sequence[dict[str, Any]]) -> list[Answer]:
    """The rows as answers, one a minute."""
    return [
        Answer(id=f"answer-{number:03}", created=f"2026-01-01T00:{number:02}:00.123Z", **row)
        for number, row in enumerate(rows)
    ]


def everything(workspace: Workspace) -> dict[int, list[Answer]]:
    with reading_review(workspace) as reading:
        return {number: [answer for _, answer in reading.answers(number)] for number in range(1, 7)}


def standing(workspace: Workspace) -> dict[int, list[Answer]]:
    with reading_review(workspace) as reading:
        return {number: reading.standing(number) for number in range(1, 7)}


def forget(*workspaces: Workspace) -> None:
    for workspace in workspaces:
        with workspace.writing() as connection:
            connection.execute("DELETE FROM reviews")


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(said, min_size=6, max_size=20))
def test_nothing_is_lost(workspace: Workspace, other: Workspace, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    forms: tuple[tuple[Format, Any], ...] = (("label-studio", standing), ("argilla", standing), ("csv", everything))
    answers = answers_of(rows)
    forget(workspace)
    append_answers(workspace, answers)
    for form, read in forms:
        forget(other)
        out = tmp_path / f"review.{form}"
        exported = export_review(workspace, out, form, with_answers=True, overwrite=True)
        imported = import_review(other, out)
        assert read(other) == read(workspace)
        assert standing(other) == standing(workspace)
        assert imported.new == imported.answers == exported.answers
        again = import_review(other, out)
        assert (again.new, again.known) == (0, imported.answers)
        assert read(other) == read(workspace)


@pytest.mark.parametrize("form", ["label-studio", "argilla", "csv"])
def test_what_was_said_since_goes_on_to_count(
    workspace: Workspace, tmp_path: Path, form: Literal["label-studio", "argilla", "csv"]
) -> None:
    first = answers_of([{"anomaly": 1, "annotator": "Ann", "verdict": "ACCEPT"}])
    append_answers(workspace, first)
    out = tmp_path / "review.txt"
    export_review(workspace, out, form, with_answers=True)
    forget(workspace)
    since = first[0].model_copy(update={"id": "since-then", "verdict": "REJECT", "created": "2026-01-02T00:00:00.000Z"})
    append_answers(workspace, [since])
    imported = import_review(workspace, out)
    assert (imported.new, imported.older) == (0, 1)
    assert standing(workspace)[1] == [since]


def test_rows_in_another_order_come_back_in_theirs(workspace: Workspace, other: Workspace, tmp_path: Path) -> None:
    row: dict[str, Any] = {"anomaly": 1, "annotator": "Ann"}
    same = [
        answer.model_copy(update={"created": "2026-01-01T00:00:00.000Z"})
        for answer in answers_of([row | {"verdict": verdict} for verdict in ("ACCEPT", "WITHDRAWN", "REJECT")])
    ]
    append_answers(workspace, same)
    out = tmp_path / "review.csv"
    export_review(workspace, out, "csv")
    head, *lines = out.read_text().splitlines(keepends=True)
    out.write_text(head + "".join(reversed(lines)))
    import_review(other, out)
    assert everything(other) == everything(workspace)
