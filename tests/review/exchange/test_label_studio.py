import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from anomagent.errors import UsageError
from anomagent.review.exchange.answers import Names, derived_id
from anomagent.review.exchange.export import export_review
from anomagent.review.exchange.importing import import_review
from anomagent.store import Workspace
from anomagent.store.exchange import Box, add_answers, reading_review
from anomagent.store.reviews import read_answers

Tasks = list[dict[str, Any]]
SAYS = derived_id("ACCEPT", None, "")
MARK = {"annotator": "7", "says": "something else"}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "tasks.json"


@pytest.fixture
def tasks(workspace: Workspace, file: Path) -> Tasks:
    """The six candidates as tasks."""
    export_review(workspace, file, "label-studio", images="https://images.example.org/x")
    return json.loads(file.read_text())


def choice(name: str, value: str) -> dict[str, Any]:
    value_of = {"choices": [value]}
    return {"id": "x", "from_name": name, "to_name": "image", "type": "choices", "value": value_of}


def annotation(*result: dict[str, Any], **more: Any) -> dict[str, Any]:
    """An annotation as Label Studio exports it."""
    about = {"id": 1001, "completed_by": 7, "was_cancelled": False, "ground_truth": False, "lead_time": 4.288}
    moments = {"created_at": "2026-03-09T22:16:08.728353Z", "updated_at": "2026-03-09T22:17:00+01:00"}
    return {**about, **moments, "task": 1, "project": 83, "result": list(result), **more}


def test_a_task_shows_the_candidate_and_suggests_no_verdict(workspace: Workspace, tasks: Tasks) -> None:
    first = tasks[0]
    sha256 = first["data"]["sha256"]
    assert first["data"]["image"] == f"https://images.example.org/x/{sha256[:2]}/{sha256}.png"
    assert first["data"]["name"] == "Floating chair 0.0"
    assert (first["data"]["severity"], first["data"]["candidate"]) == (0, 1)
    assert (first["predictions"], first["annotations"]) == ([], [])
    assert "<script>" in tasks[1]["data"]["phenomenon"]


def test_the_configuration_asks_for_what_the_import_reads(workspace: Workspace, tasks: Tasks, tmp_path: Path) -> None:
    view = ElementTree.fromstring((tmp_path / "tasks.xml").read_text())
    controls = {tag.get("name"): tag for tag in view if tag.get("toName")}
    assert {name: tag.get("toName") for name, tag in controls.items()} == dict.fromkeys(
        ["verdict", "reason", "note", "box"], "image"
    )
    assert [tag.get("value") for tag in controls["verdict"]] == ["ACCEPT", "REJECT", "UNSURE"]
    shown = [value for tag in view if (value := tag.get("value", "")).startswith("$")]
    assert all(value[1:] in tasks[0]["data"] for value in shown)


def test_without_images_the_questions_hang_on_the_text(workspace: Workspace, tmp_path: Path) -> None:
    exported = export_review(workspace, tmp_path / "a.json", "label-studio", images="none")
    assert "image" not in json.loads((tmp_path / "a.json").read_text())[0]["data"]
    assert 'toName="image"' not in Path(str(exported.config)).read_text()


def test_known_boxes_are_predictions_in_percent(workspace: Workspace, file: Path) -> None:
    with reading_review(workspace) as reading:
        sha256 = next(reading.candidates(answered=False)).sha256
    # Of 64 x 48 pixels: 16 is 25 %, 12 is 25 %, 32 wide is 50 %, 24 high is 50 %.
    add_answers(workspace, [], [Box(sha256, "Chair", 16, 12, 48, 36)])
    export_review(workspace, file, "label-studio")
    (prediction,) = json.loads(file.read_text())[0]["predictions"]
    value = prediction["result"][0]["value"]
    assert [value[key] for key in ("x", "y", "width", "height")] == [25, 25, 50, 50]


def test_an_export_of_label_studio_comes_in(workspace: Workspace, tasks: Tasks, file: Path) -> None:
    note = {"from_name": "note", "to_name": "image", "type": "textarea", "value": {"text": ["look", "closer"]}}
    place = {"x": 25, "y": 0, "width": 50, "height": 100, "rotation": 0, "rectanglelabels": ["object"]}
    box = {"from_name": "box", "to_name": "image", "type": "rectanglelabels", "value": place}
    tasks[0]["annotations"] = [annotation(choice("verdict", "REJECT"), choice("reason", "trivial"), note, box)]
    tasks[1]["annotations"] = [annotation(was_cancelled=True), annotation(box)]
    tasks[2]["annotations"] = [annotation(choice("verdict", "ACCEPT"), completed_by={"id": 8, "email": "b@c.d"})]
    file.write_text(json.dumps(tasks))
    imported = import_review(workspace, file, Names.of(["7=Ann"]))
    assert (imported.new, imported.boxes) == (2, 1)
    assert imported.passed == {"skipped tasks": 1, "annotations without a verdict": 1}
    (_, first), (_, second) = read_answers(workspace)
    assert (first.annotator, first.verdict, first.reason, first.note) == ("Ann", "REJECT", "trivial", "look\ncloser")
    # The annotation as it is now was made when it was changed: 22:17 in a zone one hour ahead of UTC.
    assert (first.anomaly, first.seconds, first.created) == (1, 4.288, "2026-03-09T21:17:00.000Z")
    assert second.annotator == "b@c.d"
    with reading_review(workspace) as reading:
        sha256 = next(reading.candidates(answered=False)).sha256
        assert reading.boxes(sha256) == [Box(sha256, "chair", 16, 0, 48, 48)]
    assert import_review(workspace, file).new == 0


def test_an_annotation_changed_there_is_a_new_answer(workspace: Workspace, tasks: Tasks, file: Path) -> None:
    for verdict, minute in (("ACCEPT", 1), ("REJECT", 2), ("ACCEPT", 3)):
        moment = f"2026-03-09T22:0{minute}:00Z"
        tasks[0]["annotations"] = [annotation(choice("verdict", verdict), updated_at=moment)]
        file.write_text(json.dumps(tasks))
        assert import_review(workspace, file).new == 1
    assert [answer.verdict for _, answer in read_answers(workspace)] == ["ACCEPT", "REJECT", "ACCEPT"]


def test_our_own_answer_changed_there_is_a_new_answer(workspace: Workspace, tasks: Tasks, file: Path) -> None:
    tasks[0]["annotations"] = [annotation(choice("verdict", "ACCEPT"), unique_id="answer-1", completed_by="Ann")]
    file.write_text(json.dumps(tasks))
    import_review(workspace, file)
    tasks[0]["annotations"][0]["result"] = [choice("verdict", "UNSURE")]
    file.write_text(json.dumps(tasks))
    assert [import_review(workspace, file).new for _ in range(2)] == [1, 0]
    assert [answer.verdict for _, answer in read_answers(workspace)] == ["ACCEPT", "UNSURE"]


def test_json_min_comes_in(workspace: Workspace, tasks: Tasks, file: Path) -> None:
    said = {"verdict": "REJECT", "reason": "duplicate", "note": "twice", "annotator": 7, "annotation_id": 12}
    about = {"created_at": "2026-03-09T22:16:08Z", "updated_at": "2026-03-09T22:16:08Z", "lead_time": 200_000}
    drawn = [{"x": 0, "y": 0, "width": 100, "height": 50, "rectanglelabels": ["object"], "original_width": 64}]
    file.write_text(json.dumps([{**tasks[3]["data"], "id": 4, **said, **about, "box": drawn}]))
    imported = import_review(workspace, file)
    assert (imported.new, imported.boxes) == (1, 1)
    assert imported.passed == {"times over a day": 1}
    ((_, answer),) = read_answers(workspace)
    assert (answer.annotator, answer.verdict, answer.reason, answer.note) == ("7", "REJECT", "duplicate", "twice")
    assert answer.seconds is None


Break = Callable[[dict[str, Any], dict[str, Any]], object]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda data, _: data.update(content="0" * 32), "is another one here"),
        (lambda data, _: data.update(candidate=99), "candidate 99 is unknown here"),
        (lambda data, _: data.pop("candidate"), "no number of its candidate"),
        (lambda data, _: data.update(candidate="1e99"), "no number of its candidate"),
        (lambda data, _: data.update(candidate=10**30), "no number of its candidate"),
        (lambda data, _: data.pop("content"), "no content"),
        (lambda _, said: said.update(completed_by=None), "give --annotator NAME"),
        (lambda _, said: said.update(completed_by=True), "no person"),
        (lambda _, said: said.update(completed_by="x" * 81), "annotator"),
        (lambda _, said: said.update(result=[choice("verdict", "MAYBE")]), "verdict 'MAYBE' cannot be"),
        (lambda _, said: said.update(result={"a": 1}), "an object, not a list"),
        (lambda _, said: said.update(result=[3]), "a number, not an object"),
        (lambda _, said: said["result"][0]["value"].update(choices=["ACCEPT", "REJECT"]), "not one choice"),
        (lambda _, said: said["result"].append(choice("reason", "bored")), "reason 'bored' cannot be"),
        (lambda _, said: said.update(updated_at="yesterday"), "'yesterday' is no moment"),
        (lambda _, said: said.update(lead_time="long"), "no number of seconds"),
        (lambda _, said: said.update(lead_time=-1), "seconds"),
        (lambda _, said: said.update(lead_time=10**400), "no number of seconds"),
        (lambda _, said: said.update(completed_by="\ud800"), "annotator"),
        (lambda _, said: said.update(result=[choice("verdict", "\ud800")]), "half a surrogate pair"),
        (lambda data, _: data.update(answers=[MARK | {"capacity": "boss"}]), "capacity 'boss' cannot be"),
        (lambda data, _: data.update(answers=[MARK | {"id": ["x"], "says": SAYS}]), "the id"),
        (
            lambda data, _: data.update(answers=[MARK | {"id": "answer-1", "says": SAYS, "row": -1}]),
            "no number of its row",
        ),
        (lambda data, _: data.update(answers=[{}]), "names nobody"),
        (lambda data, _: data.update(answers=7), "a number, not a list"),
        (
            lambda _, said: said["result"].append(choice("reason", "trivial")),
            "'trivial' cannot be: a reason belongs to",
        ),
        (lambda _, said: said.update(updated_at="2099-01-01T00:00:00Z"), "moment '2099-01-01T00:00:00.000Z' cannot be"),
        (lambda _, said: said.update(completed_by="A\x07"), "characters that cannot be shown"),
    ],
)
def test_a_wrong_task_is_refused_and_nothing_is_imported(
    workspace: Workspace, tasks: Tasks, file: Path, spoil: Break, message: str
) -> None:
    for task in tasks:
        task["annotations"] = [annotation(choice("verdict", "ACCEPT"))]
    spoil(tasks[4]["data"], tasks[4]["annotations"][0])
    file.write_text(json.dumps(tasks))
    with pytest.raises(UsageError, match="nothing is imported") as refused:
        import_review(workspace, file)
    assert message in str(refused.value)
    assert "entry 5" in str(refused.value)
    assert "\n" not in str(refused.value)
    assert read_answers(workspace) == []


@pytest.mark.parametrize(
    "place",
    [
        {"x": -1, "y": 0, "width": 5, "height": 5},
        {"x": 60, "y": 0, "width": 50, "height": 5},
        {"x": 0, "y": 0, "width": 0, "height": 5},
        {"x": 0, "y": 0, "width": 5, "height": 5, "rotation": 30},
        {"x": 0, "y": 0, "width": "5", "height": 5},
        {"x": 0, "y": 0},
    ],
)
def test_a_wrong_box_is_refused(workspace: Workspace, tasks: Tasks, file: Path, place: dict[str, Any]) -> None:
    box = {"from_name": "box", "value": place}
    tasks[0]["annotations"] = [annotation(choice("verdict", "ACCEPT"), box)]
    file.write_text(json.dumps(tasks))
    with pytest.raises(UsageError, match="a box"):
        import_review(workspace, file)
