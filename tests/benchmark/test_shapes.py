"""What every shape says about an image."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from anomagent.benchmark.annotations import ImageAnnotations
from anomagent.benchmark.reading import read_annotations
from anomagent.state.classic_text import format_anomalies
from tests.benchmark.files import CHAIR, CLASSIC, HAND, PAGE, RELEASED, instance, read

SAMPLE = Path(__file__).parents[1] / "data" / "anomreason_sample"


def analysis(status: str, **more: Any) -> dict[str, Any]:
    anomalies = [{**PAGE, "objects": ["hand"], "support": 2}]
    return {"image": "a.png", "sha256": "0", "status": status, "anomalies": anomalies, "failures": []} | more


def both(image: str = "a.png", **more: Any) -> ImageAnnotations:
    return ImageAnnotations(image, (CHAIR, HAND), **more)


BAD = {**PAGE, "severity": "high"}


@dataclass(frozen=True)
class Case:
    id: str
    content: object
    expected: ImageAnnotations


CASES = [
    Case("released and page's entries mixed", {"a.png": [RELEASED, PAGE]}, both()),
    Case(
        "short spellings",
        {"a.png": [{"NAME": CHAIR.name, "phenomenon": CHAIR.phenomenon, "Reasoning": "Gravity.", "Severity": "10"}]},
        ImageAnnotations("a.png", (CHAIR,)),
    ),
    Case(
        "snake case",
        {"a.png": [{**PAGE, "observed_phenomenon": PAGE["phenomenon"]}]},
        ImageAnnotations("a.png", (HAND,)),
    ),
    Case("nothing found", {"a.png": []}, ImageAnnotations("a.png")),
    Case("description", {"a.png": "A street in rain."}, ImageAnnotations("a.png", description="A street in rain.")),
    Case("classic text", {"a.png": CLASSIC}, both()),
    Case("classic text of nothing", {"a.png": format_anomalies([])}, ImageAnnotations("a.png")),
    Case("JSON text", {"a.png": json.dumps([RELEASED, PAGE])}, both()),
    Case("fenced JSON text", {"a.png": f"Here:\n```json\n{json.dumps([RELEASED, PAGE])}\n```\nDone."}, both()),
    Case("JSON text of an object", {"a.png": json.dumps({"anomalies": [RELEASED, PAGE]})}, both()),
    Case(
        "answer and list", {"a.png": {"answer": "Yes, fake.", "anomalies": [RELEASED, PAGE]}}, both(answer="Yes, fake.")
    ),
    Case("answer and classic text", {"a.png": {"Answer": "Yes.", "Anomalies": CLASSIC}}, both(answer="Yes.")),
    Case("answer alone holds the list", {"a.png": {"answer": f"Yes.\n{CLASSIC}"}}, both(answer=f"Yes.\n{CLASSIC}")),
    Case("answer alone", {"a.png": {"answer": "No."}}, ImageAnnotations("a.png", answer="No.")),
    Case(
        "answer is JSON",
        {"a.png": {"answer": json.dumps({"answer": "Yes.", "anomalies": [RELEASED, PAGE]})}},
        both(answer="Yes."),
    ),
    Case(
        "answer and a description",
        {"a.png": {"answer": "No.", "anomalies": "A street."}},
        ImageAnnotations("a.png", answer="No.", description="A street."),
    ),
    Case("record", [{"image": "a.png", "answer": "Yes.", "anomalies": [RELEASED, PAGE]}], both(answer="Yes.")),
    Case("single record", {"image": "a.png", "answer": None, "anomalies": CLASSIC}, both()),
    Case(
        "record with a failure",
        [{"image": "a.png", "failure": "refused"}],
        ImageAnnotations("a.png", failure="refused"),
    ),
    Case("single-turn instruction", [instance("1_fake/a.png", CLASSIC)], both("1_fake/a.png")),
    Case("two-turn instruction, AI", [instance("1_fake/a.png", "Yes.", CLASSIC)], both("1_fake/a.png", answer="Yes.")),
    Case(
        "two-turn instruction, real",
        [instance("0_real/a.png", "No.", "A street.")],
        ImageAnnotations("0_real/a.png", answer="No.", description="A street."),
    ),
    Case(
        "two instances of one image",
        [instance("a.png", "Yes.", format_anomalies([each])) for each in (CHAIR, HAND)],
        both(answer="Yes."),
    ),
    Case(
        "run --json",
        analysis("partial", failures=[{"role": "R", "object": "cat", "error": "e", "message": "m"}]),
        ImageAnnotations(
            "a.png", (HAND.model_copy(update={"objects": ["hand"], "support": 2}),), partial="R: cat: e: m"
        ),
    ),
    Case(
        "run --json, failed",
        analysis(
            "failed",
            failures=[
                {"role": "Intake", "object": None, "error": "refused", "message": "no"},
                {"role": "R", "object": "cat", "error": "e", "message": "m"},
            ],
        ),
        ImageAnnotations("a.png", failure="Intake: refused: no; R: cat: e: m"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_every_shape_is_read(case: Case, tmp_path: Path) -> None:
    found = read(tmp_path, case.content)
    assert found.bad == ()
    assert found.images == {case.expected.key: case.expected}


@pytest.mark.parametrize(("end", "start"), [("\n", ""), ("\r\n", "\ufeff"), ("\n\n", "\n")])
def test_json_lines(tmp_path: Path, end: str, start: str) -> None:
    # U+2028 ends no line in JSON.
    lines = [{"image": "a.png", "anomalies": [RELEASED]}, {"image": "b.png", "answer": "Yes\u2028.", "anomalies": []}]
    path = tmp_path / "lines.jsonl"
    path.write_bytes((start + end.join(json.dumps(line, ensure_ascii=False) for line in lines)).encode())
    assert read_annotations(path).images == {
        "a.png": ImageAnnotations("a.png", (CHAIR,)),
        "b.png": ImageAnnotations("b.png", answer="Yes\u2028."),
    }


@pytest.mark.parametrize(
    "content",
    [
        {"a.png": [BAD, {"name": "?"}]},
        {"a.png": "@1. Name: Half\n- Observed Phenomenon: x\n- Reasoning: y"},
        {"a.png": {"answer": "Yes.", "anomalies": [BAD]}},
        analysis("partial", anomalies=[BAD], failures=[{"role": "R", "message": "m"}]),
        [instance("a.png", json.dumps([BAD])), instance("a.png", json.dumps([{**BAD, "severity": 101}]))],
    ],
    ids=["list", "classic text", "with an answer", "partial analysis", "two instances"],
)
def test_a_list_of_which_nothing_can_be_read_is_a_failure(tmp_path: Path, content: object) -> None:
    found = read(tmp_path, content)
    image = found.images["a.png"]
    assert image.anomalies == ()
    assert image.failure == f"no entry of its list can be read, the first: {found.bad[0].reason}"
    assert image.partial is None
    assert image.answer == ("Yes." if "answer" in str(content) else None)


def test_one_entry_that_can_be_read_is_a_result(tmp_path: Path) -> None:
    """Also where all others of its instance cannot: the instances of an image are one list."""
    listed = read(tmp_path, {"a.png": [BAD, PAGE], "b.png": []})
    assert [image.failure for image in listed.images.values()] == [None, None]
    spread = read(tmp_path, [instance("a.png", json.dumps([BAD])), instance("a.png", CLASSIC)])
    assert spread.images == {"a.png": both()}
    assert len(spread.bad) == 1


@pytest.mark.parametrize("content", [[], {}])
def test_a_file_about_no_image(tmp_path: Path, content: object) -> None:
    assert read(tmp_path, content).images == {}


def test_the_public_sample_is_read_whole() -> None:
    truth, predictions = (read_annotations(SAMPLE / f"{name}.json") for name in ("ground_truth", "predictions"))
    raw = json.loads((SAMPLE / "predictions.json").read_text(encoding="utf-8"))
    assert truth.bad == predictions.bad == ()
    assert set(truth.images) == set(predictions.images) == set(raw)
    for image, entries in raw.items():
        found = predictions.images[image].anomalies
        assert [a.phenomenon for a in found] == [entry["Observed Phenomenon"] for entry in entries]
        assert [f"{a.severity}/100" for a in found] == [entry["Severity Score"].split()[0] for entry in entries]
        assert [f"@{i}. Name: {a.name}" for i, a in enumerate(found, 1)] == [entry["Name"] for entry in entries]
