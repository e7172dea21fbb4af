"""Argilla's records and tables, as other programs and people leave them; and what no file may do."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.review.exchange.answers import Names
from anomagent.review.exchange.export import export_review
from anomagent.review.exchange.importing import import_review
from anomagent.state.reviews import Answer
from anomagent.store import Workspace
from anomagent.store.reviews import append_answers, read_answers
from tests.review.conftest import fill

ANN = "0b7cbbd2-5c58-4a27-9d2f-6b7f1d0a8a11"
Records = list[dict[str, Any]]


@pytest.fixture
def records(workspace: Workspace, tmp_path: Path) -> Records:
    export_review(workspace, tmp_path / "records.jsonl", "argilla")
    return [json.loads(line) for line in (tmp_path / "records.jsonl").read_text().splitlines()]


@pytest.fixture
def table(workspace: Workspace, tmp_path: Path) -> list[dict[str, str]]:
    export_review(workspace, tmp_path / "table.csv", "csv")
    with (tmp_path / "table.csv").open(newline="") as lines:
        return list(csv.DictReader(lines))


def test_a_record_has_the_shape_of_argilla_and_nobodys_answer(workspace: Workspace, records: Records) -> None:
    shape = {"id", "fields", "metadata", "suggestions", "responses", "vectors", "_server_id"}
    assert set(records[0]) == shape
    assert set(records[0]["fields"]) == {"image", "name", "phenomenon", "reasoning"}
    assert (records[0]["suggestions"], records[0]["responses"]) == ({}, {})
    append_answers(workspace, [Answer(id="answer-1", anomaly=1, annotator="Ann", verdict="ACCEPT")])
    out = Path(workspace.path.parent / "without.jsonl")
    export_review(workspace, out, "argilla")
    assert "Ann" not in out.read_text()


def test_records_of_argilla_come_in(workspace: Workspace, records: Records, tmp_path: Path) -> None:
    records[0]["responses"] = {
        "verdict": [{"value": "REJECT", "user_id": ANN}, {"value": "ACCEPT", "user_id": "someone"}],
        "reason": [{"value": "trivial", "user_id": ANN}],
        "other": [{"value": 3, "user_id": ANN}],
    }
    records[1]["responses"] = {"verdict": [{"value": "ACCEPT", "user_id": ANN, "status": "draft"}]}
    records[2]["responses"] = {"note": [{"value": "hm", "user_id": ANN}]}
    file = tmp_path / "argilla.json"
    file.write_text(json.dumps(records))
    imported = import_review(workspace, file, Names.of([f"{ANN}=Ann"]))
    assert imported.passed == {"drafts and discarded responses": 1, "responses without a verdict": 1}
    said = [(answer.annotator, answer.verdict, answer.reason) for _, answer in read_answers(workspace)]
    assert said == [("Ann", "REJECT", "trivial"), ("someone", "ACCEPT", None)]
    assert import_review(workspace, file, Names.of([f"{ANN}=Ann"])).new == 0


def test_ids_that_nobody_knows_are_asked_for_at_once(workspace: Workspace, records: Records, tmp_path: Path) -> None:
    other = ANN.replace("0", "1")
    for record, user in zip(records, [ANN, other, ANN], strict=False):
        record["responses"] = {"verdict": [{"value": "ACCEPT", "user_id": user}]}
    file = tmp_path / "argilla.json"
    file.write_text(json.dumps(records))
    with pytest.raises(UsageError) as refused:
        import_review(workspace, file, Names.of(["7=Ann"]))
    expected = f"ids {ANN} (entry 1), {other} (entry 2); give --annotator ID=NAME for each; nothing is imported"
    assert expected in str(refused.value)
    assert import_review(workspace, file, Names.of([f"{ANN}=Ann", f"{other}=Bob"])).new == 3


def test_a_name_in_another_case_is_asked_for(workspace: Workspace, tmp_path: Path) -> None:
    append_answers(workspace, [Answer(id="answer-1", anomaly=1, annotator="Ann", verdict="ACCEPT")])
    out = tmp_path / "table.csv"
    export_review(workspace, out, "csv")
    out.write_text(out.read_text().replace('"answer-1","Ann"', '"answer-2"," ann"'))
    with pytest.raises(UsageError, match="line 2: 'ann' is spelled 'Ann' here; give --annotator"):
        import_review(workspace, out)
    assert import_review(workspace, out, Names.of(["ann=ann"])).new == 1


def test_two_responses_of_one_person_are_refused(workspace: Workspace, records: Records, tmp_path: Path) -> None:
    records[0]["responses"] = {"verdict": [{"value": value, "user_id": ANN} for value in ("ACCEPT", "REJECT")]}
    (tmp_path / "a.json").write_text(json.dumps(records))
    with pytest.raises(UsageError, match="entry 1: one person answers verdict twice; nothing is imported"):
        import_review(workspace, tmp_path / "a.json")


def test_a_table_filled_in_by_hand_comes_in(workspace: Workspace, table: list[dict[str, str]], tmp_path: Path) -> None:
    file = tmp_path / "mine.csv"
    with file.open("w", newline="") as lines:
        mine = csv.DictWriter(lines, ["content", "candidate", "verdict", "colour"])
        mine.writeheader()
        for row, verdict in zip(table, ["ACCEPT", "REJECT", "", "UNSURE"], strict=False):
            mine.writerow({"content": row["content"], "candidate": row["candidate"], "verdict": verdict, "colour": "x"})
    with pytest.raises(UsageError, match=r"line 2: it does not say who answered; give --annotator NAME"):
        import_review(workspace, file)
    assert import_review(workspace, file, Names.of(["Ann"])).new == 3
    assert import_review(workspace, file, Names.of(["Ann"])).new == 0
    assert [(a.anomaly, a.annotator, a.verdict) for _, a in read_answers(workspace)] == [
        (1, "Ann", "ACCEPT"),
        (2, "Ann", "REJECT"),
        (4, "Ann", "UNSURE"),
    ]


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"reason": "trivial"}, "line 2: the reason 'trivial' cannot be: a reason belongs to REJECT alone"),
        ({"created": "2099-01-01"}, "line 2: the moment '2099-01-01T00:00:00.000Z' cannot be: it lies in the future"),
        ({"note": "x" * 2001}, "line 2: the note"),
    ],
)
def test_what_no_answer_may_say_is_refused(
    workspace: Workspace, table: list[dict[str, str]], tmp_path: Path, columns: dict[str, str], message: str
) -> None:
    file = tmp_path / "mine.csv"
    with file.open("w", newline="") as lines:
        mine = csv.DictWriter(lines, list(table[0]))
        mine.writeheader()
        mine.writerow({**table[0], "annotator": "Ann", "verdict": "ACCEPT", **columns})
    with pytest.raises(UsageError) as refused:
        import_review(workspace, file)
    assert message in str(refused.value)
    assert read_answers(workspace) == []


def test_a_verdict_changed_in_the_table_is_a_new_answer(workspace: Workspace, tmp_path: Path) -> None:
    append_answers(workspace, [Answer(id="answer-1", anomaly=1, annotator="Ann", verdict="ACCEPT")])
    out = tmp_path / "table.csv"
    export_review(workspace, out, "csv")
    out.write_text(out.read_text().replace('"ACCEPT"', '"REJECT"'))
    assert [import_review(workspace, out).new for _ in range(2)] == [1, 0]
    assert [answer.verdict for _, answer in read_answers(workspace)] == ["ACCEPT", "REJECT"]


def test_two_answers_with_one_id_are_refused(workspace: Workspace, tmp_path: Path) -> None:
    append_answers(workspace, [Answer(id="answer-1", anomaly=1, annotator="Ann", verdict="ACCEPT")])
    out = tmp_path / "table.csv"
    export_review(workspace, out, "csv")
    line = next(line for line in out.read_text().splitlines() if "answer-1" in line)
    out.write_text(out.read_text() + line.replace("ACCEPT", "REJECT") + "\n")
    with pytest.raises(UsageError, match="line 2 and line 8 are different answers with one id"):
        import_review(workspace, out)


def test_answers_about_other_candidates_are_left_out_only_when_told(workspace: Workspace, tmp_path: Path) -> None:
    append_answers(
        workspace,
        [Answer(id=f"answer-{n}", anomaly=n, annotator="Ann", verdict="ACCEPT", note=str(n)) for n in (1, 6)],
    )
    out = tmp_path / "table.csv"
    export_review(workspace, out, "csv")
    other = Workspace.open(tmp_path / "smaller")
    fill(other, images=1)
    with pytest.raises(UsageError, match="line 7: candidate 6 is unknown here; use the workspace"):
        import_review(other, out)
    assert read_answers(other) == []
    imported = import_review(other, out, skip_unknown=True)
    assert (imported.new, imported.unknown) == (1, 1)


def test_candidates_of_replaced_analyses_go_along_with_their_answers(workspace: Workspace, tmp_path: Path) -> None:
    append_answers(workspace, [Answer(id="answer-1", anomaly=1, annotator="Ann", verdict="ACCEPT")])
    fill(workspace)  # the same images again: rows 7 to 12
    out = tmp_path / "a.csv"
    assert export_review(workspace, out, "csv").candidates == 7
    exported = export_review(workspace, tmp_path / "a.json", "label-studio")
    assert (exported.candidates, exported.answers) == (6, 0)
    with workspace.writing() as connection:
        connection.execute("DELETE FROM reviews")
    assert import_review(workspace, out).new == 1


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "is empty"),
        ("[]", "no tasks of Label Studio and no records of Argilla"),
        ('{"a": 1}', "no tasks of Label Studio and no records of Argilla"),
        ("[" * 100_000, "nested too deeply"),
        ('[{"data": {"a": NaN}}]', "NaN is no number"),
        ("candidate,content,verdict\n1,2\n", "line 2: 2 values for 3 columns"),
        ("candidate,content,verdict,annotator\n1,x,ACCEPT,A\n", "candidate 1 is another one here"),
        ('candidate,verdict\n1,"ACC', "is no CSV"),
    ],
)
def test_hostile_files_are_refused_in_one_line(workspace: Workspace, tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "file"
    file.write_text(text)
    with pytest.raises(UsageError) as refused:
        import_review(workspace, file)
    assert message in str(refused.value)
    assert "\n" not in str(refused.value)
    assert read_answers(workspace) == []


def test_names_of_people() -> None:
    names = Names.of(["Ann", "7=Bob"])
    assert [names.name_of(theirs) for theirs in (None, "7", "8")] == ["Ann", "Bob", "8"]
    for wrong in (["7="], ["a", "b"], ["7=a", "7=b"], [""]):
        with pytest.raises(ValueError, match=r"nobody|twice"):
            Names.of(wrong)


def test_nothing_is_written_over_and_nothing_half(workspace: Workspace, tmp_path: Path) -> None:
    out = tmp_path / "a.json"
    (tmp_path / "a.xml").write_text("mine")
    for place, message in (
        (out, r"a\.xml: exists; give --force"),
        (workspace.path / "x.csv", "lies in the workspace"),
        (tmp_path / "none" / "x.csv", "folder does not exist"),
        (tmp_path, "exists"),
    ):
        with pytest.raises(UsageError, match=message):
            export_review(workspace, place, "label-studio")
    assert not out.exists()
    with pytest.raises(UsageError, match="neither paths, none nor an address"):
        export_review(workspace, out, "csv", images="javascript:x")
    export_review(workspace, out, "label-studio", overwrite=True)
    assert (tmp_path / "a.xml").read_text().startswith("<View>")
