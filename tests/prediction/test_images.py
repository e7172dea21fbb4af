from __future__ import annotations

import json
from pathlib import Path

import pytest

from anomagent.errors import UsageError
from anomagent.prediction.images import choose_images
from tests.prediction.shelf import Shelf


@pytest.fixture(autouse=True)
def _split(shelf: Shelf) -> None:
    shelf.draw("images/a.png", "images/b.png", "images/c.png")
    Path("split.json").write_text(json.dumps({"train": ["a.png"], "test": ["sub/c.png", "b.png", "lost.png"]}))


def chosen(*paths: str, **options: object) -> tuple[list[str], list[str]]:
    items, notes = choose_images(paths, **options)  # type: ignore[arg-type]
    return [item.path for item in items], notes


def test_a_part_of_a_split_in_the_order_of_the_folder() -> None:
    paths, notes = chosen("images", split=Path("split.json"))
    assert paths == ["images/b.png", "images/c.png"]
    assert notes == ["1 names of part test of split.json have no image here, such as 'lost.png'"]
    assert chosen("images", split=Path("split.json"), part="train")[0] == ["images/a.png"]


def test_a_limit_counts_within_the_part() -> None:
    assert chosen("images", split=Path("split.json"), limit=1)[0] == ["images/b.png"]
    assert chosen("images", limit=2)[0] == ["images/a.png", "images/b.png"]


def test_manifests_say_what_they_know() -> None:
    Path("list.csv").write_text("image,source\nimages/a.png,painter\n")
    (item,), _ = choose_images(["list.csv"])
    assert (item.path, item.details) == ("images/a.png", {"source": "painter"})


def test_shared_base_names_are_told_before_anything_is_paid(shelf: Shelf) -> None:
    shelf.draw("other/a.png")
    _, (said,) = chosen("images", "other")
    assert "'images/a.png' and 'other/a.png' share a base name" in said


@pytest.mark.parametrize(
    ("split", "part", "message"),
    [
        ('{"train": ["a.png"], "test": []}', "val", "has no part 'val'; it has test, train"),
        ('{"train": ["a.png"], "test": ["x.png"]}', "test", "no image of part test"),
        ("[]", "test", "is no split"),
    ],
)
def test_wrong_splits_are_refused(split: str, part: str, message: str) -> None:
    Path("split.json").write_text(split)
    with pytest.raises(UsageError, match=message):
        chosen("images", split=Path("split.json"), part=part)
