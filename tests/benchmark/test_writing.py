"""Files as the benchmark's own tools write them."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.benchmark.reading import read_annotations
from anomagent.benchmark.writing import Variant, write_annotations
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from tests.benchmark.files import HAND

TEXT = st.text(st.characters(codec="utf-8"), min_size=1).filter(str.strip)
NAME = st.from_regex(r"(?!Name)\w[\w @.:]{0,20}\w", fullmatch=True).filter(lambda name: "name" not in name.lower())
"""No list prefix: a name loses it."""
ANOMALY = st.builds(Anomaly, name=NAME, phenomenon=TEXT, reasoning=TEXT, severity=st.integers(0, 100))
IMAGE = st.from_regex(r"\w{1,8}\.png", fullmatch=True)


def test_the_released_shape(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.json", {"a.png": [HAND.model_copy(update={"objects": ["x"]})], "b.png": []})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "a.png": [
            {
                "Name": "Six fingers",
                "Observed Phenomenon": "A hand has six fingers.",
                "Reasoning": "Anatomy.",
                "Severity Score": "25/100 (clearly unnatural).",
            }
        ],
        "b.png": [],
    }


def test_the_shape_of_the_project_page(tmp_path: Path) -> None:
    write_annotations(tmp_path / "a.json", {"a": [HAND]}, "project-page")
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {
        "a": [
            {
                "name": "Six fingers",
                "phenomenon": "A hand has six fingers.",
                "reasoning": "Anatomy.",
                "severity": 25,
            }
        ]
    }


@given(st.dictionaries(IMAGE, st.lists(ANOMALY, max_size=3), max_size=3), st.sampled_from(["released", "project-page"]))
def test_what_is_written_is_read(
    tmp_path_factory: pytest.TempPathFactory, images: dict[str, list[Anomaly]], variant: Variant
) -> None:
    path = tmp_path_factory.getbasetemp() / "written.json"
    write_annotations(path, images, variant)
    found = read_annotations(path)
    assert found.bad == ()
    assert {image: list(said.anomalies) for image, said in found.images.items()} == images


@pytest.mark.parametrize(
    ("image", "anomaly", "message"),
    [
        ("a.png", HAND.model_copy(update={"reasoning": " "}), "has no reasoning"),
        ("a.png", HAND.model_copy(update={"name": "\ud83d"}), "surrogate"),
        ("\ud83d", HAND, "surrogate"),
    ],
)
def test_what_no_reader_would_accept_is_not_written(tmp_path: Path, image: str, anomaly: Anomaly, message: str) -> None:
    (tmp_path / "a.json").write_text("before")
    with pytest.raises(UsageError, match=message):
        write_annotations(tmp_path / "a.json", {image: [anomaly]})
    assert [file.read_text() for file in tmp_path.iterdir()] == ["before"]


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be written"):
        write_annotations(tmp_path / "none" / "a.json", {})
    (tmp_path / "folder").mkdir()
    with pytest.raises(UsageError, match="cannot be written"):
        write_annotations(tmp_path / "folder", {})
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]
