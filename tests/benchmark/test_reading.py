"""Files that are no annotations, and splits."""

import json
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.benchmark import documents
from anomagent.benchmark.annotations import ImageAnnotations
from anomagent.benchmark.reading import read_annotations, read_split
from anomagent.errors import UsageError
from tests.benchmark.files import CHAIR, CLASSIC, HAND, PAGE, RELEASED, instance, read, written


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("[1, 2", "line 1, column 6"),
        ('{"a.png": []}\n{"b.png": }', "line 2: not JSON"),
        ('{\n "a.png": [],\n "a.png": []\n}', "'a.png' stands twice"),
        ('{"a.png": [{"name": "a", "name": "b"}]}', "'name' stands twice"),
        ('{"a.png": NaN}', "NaN is no number"),
        ('{"a.png": 1e999}', "no number"),
        ('{"a.png": ' + "[" * 200_000, "nested too deeply"),
        ('{"a.png": ' + "9" * 5_000 + "}", "digits"),
        ("3", "is a number"),
        ('{"train": ["a.png"], "test": []}', "is a split"),
        ('{"train": ["a.png"], "test": [], "seed": 1}', "is a split"),
        ('[{"anomalies": []}]', "entry 1: it has no image"),
        ('[{"image": 3, "anomalies": []}]', "image is not text"),
        ('[{"image": "a.png"}]', "it has none of"),
        ('[{"image": "a.png", "anomalies": []}, []]', "entry 2: it is a list, not an object"),
        ('{"": []}', "'' is no name"),
        ('{"/": []}', "is no name"),
        ('{"\\ud83d": []}', "is no name"),
        ('[{"image": "a.png", "conversations": 1}]', "conversations are a number"),
        ('[{"image": "a.png", "conversations": []}]', "it has 0 answers"),
        ('[{"image": "a.png", "conversations": [{"from": "gpt", "value": 1}]}]', "may be text"),
        ('[{"image": "a.png", "answer": "Yes"}, {"image": "a.png", "answer": "No"}]', "twice with different content"),
    ],
)
def test_a_file_that_is_none_is_refused_in_one_line(tmp_path: Path, content: str, message: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UsageError) as caught:
        read_annotations(path)
    assert message in str(caught.value)
    assert str(caught.value).startswith(str(path))
    assert "\n" not in str(caught.value)


def test_depth_is_no_way_to_crash(tmp_path: Path) -> None:
    deep = '{"anomalies": ' * 300 + "[]" + "}" * 300
    for text in (deep, deep.replace("{", '{"status": "ok", '), json.dumps(deep)):
        (bad,) = read(tmp_path, f'{{"a.png": {text}}}').bad
        assert "an object" in bad.reason


def test_the_same_record_twice_counts_once(tmp_path: Path) -> None:
    record = {"image": "a.png", "answer": "Yes.", "anomalies": [RELEASED, PAGE]}
    assert read(tmp_path, [record, record]).images == {"a.png": ImageAnnotations("a.png", (CHAIR, HAND), "Yes.")}


def test_instances_that_contradict_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="twice with different content"):
        read(tmp_path, [instance("a.png", "Yes.", CLASSIC), instance("a.png", "No.", CLASSIC)])


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "latin.json").write_bytes('{"é.png": []}'.encode("latin-1"))
    for path, message in ((tmp_path, "folder"), (tmp_path / "no", "no such file"), (tmp_path / "latin.json", "UTF-8")):
        with pytest.raises(UsageError, match=message):
            read_annotations(path)
    monkeypatch.setattr(documents, "MOST_BYTES", 3)
    with pytest.raises(UsageError, match="the limit is"):
        read_annotations(written(tmp_path, {"a.png": []}))


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text()
            | st.sampled_from(
                sorted({*RELEASED, *PAGE, "image", "anomalies", "answer", "status", "conversations", "train"})
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON)
def test_whatever_a_file_holds_is_read_or_refused(tmp_path_factory: pytest.TempPathFactory, value: object) -> None:
    path = written(tmp_path_factory.getbasetemp(), value, "any.json")
    with suppress(UsageError):
        for image in read_annotations(path).images.values():
            for anomaly in image.anomalies:
                assert all(text.strip() for text in (anomaly.name, anomaly.phenomenon, anomaly.reasoning))


def test_a_split_by_base_name(tmp_path: Path) -> None:
    path = written(tmp_path, {"train": ["1_fake/a.png", "b.png"], "test": ["c.png"]})
    assert read_split(path) == {"train": frozenset({"a.png", "b.png"}), "test": frozenset({"c.png"})}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"train": ["a.png", "a.png"], "test": []}, "share the base name 'a.png'"),
        ({"train": ["x/a.png"], "test": ["y/a.png"]}, "'x/a.png' in train and 'y/a.png' in test"),
        ({"a.png": []}, "is no split"),
        ({"train": [1]}, "is no split"),
        (["a.png"], "is no split"),
        ({"train": ["a.png"], "seed": []}, "'seed' is no part"),
        ({"train": [""]}, "is no name"),
    ],
)
def test_a_split_that_is_none(tmp_path: Path, content: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        read_split(written(tmp_path, content))
