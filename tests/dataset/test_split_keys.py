"""What split files call images, and which these are."""

import json
from pathlib import Path

import pytest

from anomagent.dataset.split_keys import match, read_keys, tidy
from anomagent.errors import UsageError


def find(keys: list[str], *names: str) -> dict[str, list[str]]:
    """The names that each key stands for."""
    return match(keys, ((name, [name]) for name in names), "f")


def test_a_path_is_itself_before_it_is_a_base_name() -> None:
    assert find(["a/x.png"], "a/x.png", "b/x.png") == {"a/x.png": ["a/x.png"]}
    assert find(["a/x.png", "b/x.png"], "b/x.png", "a/x.png") == {"a/x.png": ["a/x.png"], "b/x.png": ["b/x.png"]}
    assert find(["q/x.png"], "a/x.png") == {"q/x.png": ["a/x.png"]}
    assert find(["x.png"], "a/x.png", "x.png") == {"x.png": ["a/x.png", "x.png"]}
    assert find(["x.png"], "y.png") == {}
    assert find(["x.png", "a/x.png"], "x.png", "a/x.png") == {"x.png": ["x.png"], "a/x.png": ["a/x.png"]}


def test_a_base_name_of_two_keys_says_nothing() -> None:
    with pytest.raises(UsageError, match=r"'a/x\.png' and 'b/x\.png' share a base name, and an image of that name"):
        find(["a/x.png", "b/x.png"], "q/x.png")
    assert find(["a/x.png", "b/x.png"], "a/x.png", "q/x.png") == {"a/x.png": ["a/x.png"]}


@pytest.mark.parametrize("name", ["a/e\u0301.png", "./a/é.png", "a\\é.png", "a//b/../é.png"])
def test_spellings_of_one_path(name: str) -> None:
    assert tidy(name) == "a/é.png"


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([], "is no split"),
        ({"val": ["a.png"]}, "is no split"),
        ({"train": [1]}, "is no split"),
        ({"train": "a.png"}, "is no split"),
        ({"train": ["a.png"], "other": []}, "'other' is no part"),
        ({"train": ["a/b.png"], "test": ["a//b.png"]}, "'a//b.png' in test stands in train already"),
        ({"train": ["/"]}, "is no name of an image"),
        ({"train": ["\ud800"]}, "is no name of an image"),
    ],
    ids=str,
)
def test_what_is_no_split_is_refused(value: object, message: str, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(value))
    with pytest.raises(UsageError, match=message):
        read_keys(tmp_path / "s.json")
