"""Entries that are no anomalies: named, never dropped, never made up."""

from pathlib import Path

import pytest

from anomagent.benchmark.reading import require_whole
from anomagent.errors import UsageError
from tests.benchmark.files import CHAIR, CLASSIC, HAND, PAGE, RELEASED, instance, read


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("@1. Name: Chair", "Chair"),
        ("@12 Chair", "Chair"),
        ("**@1. Name:** Chair", "Chair"),
        ("1. Name: Chair", "Chair"),
        ("Name: Chair", "Chair"),
        ("2 chairs", "2 chairs"),
        ("3. floor", "3. floor"),
        ("Named chair", "Named chair"),
        ("@home sign", "@home sign"),
    ],
)
def test_only_a_list_prefix_is_taken_off_a_name(tmp_path: Path, written: str, name: str) -> None:
    (image,) = read(tmp_path, {"a.png": [{**PAGE, "name": written}]}).images.values()
    assert [anomaly.name for anomaly in image.anomalies] == [name]


BAD = {
    "no name": {key: value for key, value in RELEASED.items() if key != "Name"},
    "phenomenon is empty": {**RELEASED, "Observed Phenomenon": " \n"},
    "no reasoning": {**RELEASED, "Reasoning": None},
    "reasoning is a list, not text": {**RELEASED, "Reasoning": ["Gravity."]},
    "nothing but a list prefix": {**RELEASED, "Name": "@1. Name: "},
    "no severity": {**RELEASED, "Severity Score": None},
    "has no number": {**RELEASED, "Severity Score": "high"},
    "not between 0 and 100": {**RELEASED, "Severity Score": 101},
    "severity is true or false": {**RELEASED, "Severity Score": True},
    "looks like a part of 1": {**RELEASED, "Severity Score": 0.25},
    "two different values of 'phenomenon'": {**RELEASED, "phenomenon": "Another."},
    "half a surrogate pair": {**RELEASED, "Name": "\ud83d"},
    "it is text, not an object": "A chair.",
    "it is null, not an object": None,
    "no list of names": {**RELEASED, "objects": ["a", 1]},
}


@pytest.mark.parametrize("reason", BAD, ids=str)
def test_a_bad_entry_is_named_and_the_others_stay(tmp_path: Path, reason: str) -> None:
    found = read(tmp_path, {"a.png": [PAGE, BAD[reason], RELEASED]})
    assert found.images["a.png"].anomalies == (HAND, CHAIR)
    (bad,) = found.bad
    assert (bad.source, bad.image, bad.index) == (found.source, "a.png", 1)
    assert reason in bad.reason
    with pytest.raises(UsageError, match=r"a\.png' entry 2: .*--bad-entries skip"):
        require_whole(found)


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "it is null"),
        (3, "it is a number"),
        ("  ", "the text is empty"),
        ("\ud83d", "surrogate"),
        ('```json\n[{"name": "a", "pheno', "its JSON: not JSON"),
        ('[{"name": "a", "name": "b"}]', "twice"),
        ("```[]``` or ```[]```", "several blocks"),
        ({"result": []}, "none of anomalies"),
        ({"status": "done"}, "none of ok"),
        ({"answer": 1, "anomalies": []}, "answer is not text"),
        ({"anomalies": {"anomalies": []}}, "its anomalies are an object"),
        ({"status": "ok"}, "its anomalies are null"),
        ('{"status": "failed"}', "none of anomalies"),
        ('{"failure": "I refuse"}', "none of anomalies"),
        ({"answer": "Yes", "Answer": "No"}, "two spellings"),
    ],
)
def test_what_cannot_be_read_is_no_empty_list(tmp_path: Path, value: object, reason: str) -> None:
    found = read(tmp_path, {"a.png": value, "b.png": []})
    assert len(found.bad) == 1
    assert reason in found.bad[0].reason
    assert found.images["a.png"].failure == found.bad[0].reason
    assert found.images["b.png"].failure is None


def test_refused_entries_of_a_text_are_bad(tmp_path: Path) -> None:
    text = f"{CLASSIC}\n\n@3. Name: Half\n- Observed Phenomenon: x\n- Reasoning: y"
    found = read(tmp_path, [instance("a.png", text)])
    assert found.images["a.png"].anomalies == (CHAIR, HAND)
    assert [(bad.image, bad.reason) for bad in found.bad] == [("a.png", "'Half': it has no severity")]


def test_many_bad_entries_are_counted(tmp_path: Path) -> None:
    found = read(tmp_path, {f"{i}.png": [{}, PAGE] for i in range(5)})
    with pytest.raises(UsageError) as caught:
        require_whole(found, how_many_shown=2)
    message = str(caught.value)
    assert (
        "5 entries cannot be read ('0.png' entry 1: it has no name; '1.png' entry 1: it has no name; and 3 more)"
        in (message)
    )
    assert "\n" not in message


def test_a_whole_set_is_accepted(tmp_path: Path) -> None:
    require_whole(read(tmp_path, {"a.png": [PAGE]}))
