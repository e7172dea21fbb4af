"""Answers that leave and come back are the same answers."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from anomagent.review.exchange.answers import Names
from anomagent.review.exchange.export import Format, export_review
from anomagent.review.exchange.importing import import_review
from anomagent.state.reviews import REASONS, VERDICTS, Answer
from anomagent.store import Workspace
from anomagent.store.exchange import reading_review
from anomagent.store.reviews import Decision, append_answers, read_decisions

PEOPLE = ("Ann", "=cmd|' /C calc'!A0", 'Ünal, "the" first', "7", "@SUM(1)")
BLANK = ("", "  ", "\x0b")
"""Notes that a table cannot tell from none."""
notes = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
verdicts = st.tuples(st.sampled_from([*VERDICTS, "WITHDRAWN"]), st.none()) | st.tuples(
    st.just("REJECT"), st.sampled_from(REASONS)
)
said = st.fixed_dictionaries(
    {
        "anomaly": st.integers(1, 6),
        "annotator": st.sampled_from(PEOPLE),
        "answer": verdicts,
        "note": st.none() | st.sampled_from(["=1+1", "a\r\nb\rc", ' "quoted", ', "\x00\x1b[31m", *BLANK]) | notes,
        "seconds": st.none() | st.floats(0, 86_400),
        "capacity": st.sampled_from(["annotator", "adjudicator"]),
        "minute": st.integers(0, 59),
    }
)


def given_answers(rows: Sequence[dict[str, Any]]) -> list[Answer]:
    """The rows as answers, whose moments are in no order."""
    found: list[Answer] = []
    for number, row in enumerate(rows):
        (verdict, reason), created = row["answer"], f"2026-01-01T00:{row['minute']:02}:00.123Z"
        about = {key: row[key] for key in ("anomaly", "annotator", "note", "seconds", "capacity")}
        found.append(Answer(id=f"answer-{number:03}", created=created, verdict=verdict, reason=reason, **about))
    return found


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


def decisions(workspace: Workspace) -> dict[int, Decision]:
    with workspace.reading() as connection:
        return read_decisions(connection)


def without_blanks(answers: dict[int, list[Answer]]) -> dict[int, list[Answer]]:
    """As a table has them."""
    return {
        number: [a if (a.note or "").strip() else a.model_copy(update={"note": None}) for a in said]
        for number, said in answers.items()
    }


@settings(max_examples=6, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(said, min_size=6, max_size=20))
def test_nothing_is_lost(workspace: Workspace, other: Workspace, tmp_path: Path, rows: list[dict[str, Any]]) -> None:
    forms: tuple[tuple[Format, Any], ...] = (("label-studio", standing), ("argilla", standing), ("csv", everything))
    forget(workspace)
    append_answers(workspace, given_answers(rows))
    for form, read in forms:
        forget(other)
        out = tmp_path / f"review.{form}"
        exported = export_review(workspace, out, form, with_answers=True, overwrite=True)
        imported = import_review(other, out)
        expected = without_blanks(read(workspace)) if form == "csv" else read(workspace)
        assert read(other) == expected
        assert decisions(other) == decisions(workspace)
        assert imported.new == imported.answers == exported.answers
        for there in (other, workspace):
            again = import_review(there, out)
            assert (again.new, again.known) == (0, imported.answers)
        assert read(other) == expected


def test_the_last_adjudicator_decides_whatever_the_clocks_say(
    workspace: Workspace, other: Workspace, tmp_path: Path
) -> None:
    row = {"anomaly": 1, "note": None, "seconds": None, "capacity": "adjudicator"}
    rows = [
        row | {"annotator": "Ada", "answer": ("ACCEPT", None), "minute": 9},
        row | {"annotator": "Eve", "answer": ("REJECT", None), "minute": 1},
    ]
    append_answers(workspace, given_answers(rows))
    for form in get_args(Format):
        forget(other)
        export_review(workspace, tmp_path / form, form, with_answers=True)
        import_review(other, tmp_path / form)
        assert decisions(other)[1].verdict == "REJECT"


def through_label_studio(file: Path) -> None:
    """What Label Studio does to a file: ids and moments of its own, members as objects, nothing that it does not know.

    Here Bob's annotation has lost its person: it is the owner's.
    """
    tasks = json.loads(file.read_text())
    for task in tasks:
        for number, annotation in enumerate(task["annotations"]):
            person = annotation["completed_by"]["email"]
            annotation["completed_by"] = {"id": 3, "email": person} if person != "Bob" else 7
            annotation |= {"id": number, "unique_id": str(uuid4()), "updated_at": "2026-01-03T00:00:00Z"}
            annotation |= {"created_at": "2026-01-03T00:00:00Z", "lead_time": 0.0}
    file.write_text(json.dumps(tasks))


def through_argilla(file: Path) -> None:
    """What Argilla does to a file: a server's own ids; Bob has another id there."""
    records = [json.loads(line) for line in file.read_text().splitlines()]
    (bob,) = {response["user_id"] for response in records[1]["responses"]["verdict"]}
    text = json.dumps([record | {"_server_id": str(uuid4())} for record in records])
    file.write_text(text.replace(bob, BOB))


BOB = "0b7cbbd2-5c58-4a27-9d2f-6b7f1d0a8a11"
THROUGH: dict[Format, Callable[[Path], None]] = {"label-studio": through_label_studio, "argilla": through_argilla}
ROW = {"note": None, "seconds": 5.0, "minute": 1}
THREE = given_answers(
    [
        ROW | {"annotator": "Ann", "anomaly": 1, "answer": ("ACCEPT", None), "capacity": "annotator"},
        ROW | {"annotator": "Ada", "anomaly": 1, "answer": ("REJECT", "trivial"), "capacity": "adjudicator"},
        ROW | {"annotator": "Bob", "anomaly": 2, "answer": ("UNSURE", None), "capacity": "adjudicator"},
    ]
)


@pytest.mark.parametrize("form", list(THROUGH))
def test_through_the_real_tool_answers_stay_who_and_what_they_were(
    workspace: Workspace, other: Workspace, tmp_path: Path, form: Format
) -> None:
    append_answers(workspace, THREE)
    file, names = tmp_path / "file", Names.of([f"{BOB}=Bob", "7=Bob"])
    export_review(workspace, file, form, with_answers=True)
    THROUGH[form](file)
    assert import_review(workspace, file, names).known == 3
    import_review(other, file, names)
    assert everything(other) == everything(workspace)
    assert decisions(other) == decisions(workspace)


@pytest.mark.parametrize("form", list(THROUGH))
def test_an_adjudicators_answer_changed_there_is_an_adjudicators(
    workspace: Workspace, tmp_path: Path, form: Format
) -> None:
    append_answers(workspace, THREE)
    file, names = tmp_path / "file", Names.of([f"{BOB}=Bob", "7=Bob"])
    export_review(workspace, file, form, with_answers=True)
    THROUGH[form](file)
    file.write_text(file.read_text().replace("UNSURE", "ACCEPT"))
    assert import_review(workspace, file, names).new == 1
    assert decisions(workspace)[2].adjudicated == "ACCEPT"
    assert import_review(workspace, file, names).new == 0


def test_whoever_changes_their_mind_twice_there_has_the_last_word(workspace: Workspace, tmp_path: Path) -> None:
    append_answers(workspace, THREE[:1])
    file = tmp_path / "file"
    export_review(workspace, file, "label-studio", with_answers=True)
    through_label_studio(file)
    tasks = json.loads(file.read_text())
    for minute, verdict in enumerate(["ACCEPT", "REJECT", "ACCEPT"]):
        annotation = tasks[0]["annotations"][0]
        annotation["updated_at"] = f"2026-01-03T00:0{minute}:00Z"
        annotation["result"][0]["value"]["choices"] = [verdict]
        file.write_text(json.dumps(tasks))
        for _ in range(2):
            import_review(workspace, file)
        assert decisions(workspace)[1].verdict == verdict
    assert [answer.verdict for answer in everything(workspace)[1]] == ["ACCEPT", "REJECT", "ACCEPT"]


@pytest.mark.parametrize("form", list(THROUGH))
def test_what_stands_is_known_though_every_mark_is_gone(workspace: Workspace, tmp_path: Path, form: Format) -> None:
    append_answers(workspace, THREE)
    file, names = tmp_path / "file", Names.of([f"{BOB}=Bob", "7=Bob"])
    export_review(workspace, file, form, with_answers=True)
    THROUGH[form](file)
    entries = json.loads(file.read_text())
    for entry in entries:
        entry.get("data", entry.get("metadata")).pop("answers", None)
    file.write_text(json.dumps(entries))
    before = everything(workspace)
    assert import_review(workspace, file, names).known == 3
    assert everything(workspace) == before


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
