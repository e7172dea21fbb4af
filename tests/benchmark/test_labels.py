"""Labels in every form. True = AI-generated."""

import json
from pathlib import Path

import pytest

from anomagent.benchmark.images import IMAGE_SUFFIXES
from anomagent.benchmark.labels import other_files, read_labels
from anomagent.errors import UsageError

EXPECTED = {"a.png": True, "b.png": False}


@pytest.mark.parametrize(
    "text",
    [
        "image,label\n1_fake/a.png,fake\nb.png, real\n",
        '{"x/a.png": "AI-generated", "b.png": "real"}',
        '{"a.png": 1, "b.png": 0}',
        '{"a.png": true, "b.png": "False"}',
        '[{"image": "a.png", "label": "ai"}, {"image": "b.png", "label": 0}]',
        '{"image": "a.png", "label": "AI"}\n{"image": "b.png", "label": "REAL"}\n',
        json.dumps([{"image": f"{folder}.png", "conversations": []} for folder in ("data/1_fake/a", "0_real/b")]),
        '{"image": "a.png", "label": 1}\n{"image": "a.png", "label": "1"}\n{"image": "b.png", "label": false}',
    ],
)
def test_every_form(tmp_path: Path, text: str) -> None:
    (tmp_path / "labels").write_text(text)
    assert read_labels(tmp_path / "labels") == EXPECTED


def test_a_single_row(tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_text('{"image": "a.png", "label": 1}')
    assert read_labels(tmp_path / "labels.json") == {"a.png": True}


def test_parquet(tmp_path: Path) -> None:
    import pyarrow
    from pyarrow import parquet

    table = pyarrow.table({"image": ["a.png", "b.png"], "label": [1, 0]})
    parquet.write_table(table, tmp_path / "labels.parquet")
    assert read_labels(tmp_path / "labels.parquet") == EXPECTED


def test_a_folder(tmp_path: Path) -> None:
    for name in ("1_fake/Flux/a.PNG", "1_fake/notes.txt", "1_fake/.a.png", "0_real/b.png", "other/c.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert read_labels(tmp_path) == {"a.PNG": True, "b.png": False}
    (tmp_path / "0_real" / "a.PNG").touch()
    with pytest.raises(UsageError, match=r"1_fake: 'a\.PNG' is labelled real and AI"):
        read_labels(tmp_path)


@pytest.mark.parametrize("suffix", sorted(IMAGE_SUFFIXES))
def test_every_image_in_a_folder_has_its_label(tmp_path: Path, suffix: str) -> None:
    (tmp_path / "0_real").mkdir()
    (tmp_path / "0_real" / f"a{suffix.upper()}").touch()
    assert read_labels(tmp_path) == {f"a{suffix.upper()}": False}
    assert other_files(tmp_path) == []


def test_other_files_are_named(tmp_path: Path) -> None:
    for name in ("1_fake/a.png", "1_fake/deep/a.heic", "0_real/.hidden", "0_real/notes.txt", "other/b.txt"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert other_files(tmp_path) == [tmp_path / "0_real/notes.txt", tmp_path / "1_fake/deep/a.heic"]
    (tmp_path / "labels.json").write_text("{}")
    assert other_files(tmp_path / "labels.json") == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,label\na.png,fake\nb.png,maybe\n", "line 3: the label 'maybe' is unknown"),
        ("image,label\na.png,\n", "line 2: no label"),
        ("name,label\na.png,1\n", "line 2: no image"),
        ("image,label\na.png,1\nx/a.png,0\n", "line 3: 'a.png' is labelled real and AI"),
        ('{"a.png": 2}', "'a.png': the label '2' is unknown"),
        ('{"a.png": null}', "no label"),
        ('{"a.png": 1, "a.png": 0}', "twice"),
        ('{"/": 1}', "no name of an image"),
        ('[{"image": "x/a.png", "conversations": []}]', "lies neither in 0_real nor in 1_fake"),
        ('[{"image": "0_real/a.png"}]', "entry 1: no label"),
        ("[]", "no labelled image"),
    ],
)
def test_labels_that_are_none(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "labels").write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_labels(tmp_path / "labels")
    assert "\n" not in str(caught.value)


def test_a_folder_without_the_benchmarks_folders(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no labelled image; expected 0_real and 1_fake"):
        read_labels(tmp_path)
