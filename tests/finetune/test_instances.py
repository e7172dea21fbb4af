"""Instances as lines of a file: nothing is lost, and what is none is refused by its line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.finetune.instances import IMAGE_MARK, Instance, instance_of, read_instances, write_instances

SHA = "a" * 64
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(
    lambda text: IMAGE_MARK not in text and not text.startswith("\n")
)


@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=3))
def test_turns_come_back_as_they_went_in(turns: list[tuple[str, str]]) -> None:
    made = instance_of("1", "a.png", SHA, turns)
    assert Instance.model_validate_json(made.model_dump_json(by_alias=True)).turns == turns


def test_lines_are_the_benchmarks_instruction_data(tmp_path: Path) -> None:
    file = tmp_path / "train.jsonl"
    assert write_instances(file, [instance_of("7", "1_fake/x.jpg", SHA, [("What is wrong?", "Nothing.")])]) == 1
    assert json.loads(file.read_text()) == {
        "id": "7",
        "image": "1_fake/x.jpg",
        "sha256": SHA,
        "conversations": [{"from": "human", "value": "<image>\nWhat is wrong?"}, {"from": "gpt", "value": "Nothing."}],
    }
    (read,) = read_instances(file)
    assert read.turns == [("What is wrong?", "Nothing.")]


def _with(**changes: Any) -> str:
    line = instance_of("7", "x.jpg", SHA, [("q", "a")]).model_dump(by_alias=True) | changes
    return json.dumps(line)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        (_with(sha256="0"), "line 2 is no instance; sha256: "),
        (_with(image=""), "line 2 is no instance; image: "),
        (_with(extra=1), "line 2 is no instance; extra: "),
        (_with(conversations=[{"from": "human", "value": "<image>\nq"}]), "line 2 is no instance; conversations: "),
        (_with(conversations=[{"from": "gpt", "value": "a"}] * 2), "must alternate human and gpt"),
        (
            _with(conversations=[{"from": "human", "value": "q"}, {"from": "gpt", "value": "a"}]),
            "must begin with <image>",
        ),
        (
            _with(conversations=[{"from": "human", "value": "<image>q<image>"}, {"from": "gpt", "value": "a"}]),
            "must stand there once",
        ),
        ("{", "line 2 is no instance; the line: "),
    ],
)
def test_what_is_no_instance_is_named_by_its_line(tmp_path: Path, line: str, problem: str) -> None:
    file = tmp_path / "train.jsonl"
    file.write_text(f"{_with()}\n{line}\n")
    with pytest.raises(UsageError) as raised:
        list(read_instances(file))
    assert problem in str(raised.value)
    assert "\n" not in str(raised.value)


def test_an_empty_or_missing_file_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "empty.jsonl").touch()
    for name, problem in (("empty.jsonl", "holds no instance"), ("none.jsonl", "cannot be read")):
        with pytest.raises(UsageError, match=f"{problem}.*finetune data"):
            list(read_instances(tmp_path / name))
