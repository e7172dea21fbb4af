"""What is tested is not learned: equal files, near-duplicates and equal names across parts are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from anomagent.dataset.fingerprints import METHOD
from anomagent.errors import UsageError
from anomagent.finetune.from_workspace import FINGERPRINTS
from anomagent.finetune.leaks import without_leaks
from anomagent.finetune.left_out import LeftOut
from anomagent.finetune.selection import Part
from anomagent.finetune.sources import Subject, Told
from tests.finetune.material import annotated, entry, lines, make


def subject(name: str, part: Part, content: str = "") -> Subject:
    return Subject((content or name) * 8, name, Path(name), 8, 8, part, Told)


def bits(number: int) -> bytes:
    return number.to_bytes(8)


def test_the_fingerprints_are_those_of_the_data_set() -> None:
    assert FINGERPRINTS == METHOD


def test_near_duplicates_leave_the_earlier_part() -> None:
    some = [
        subject("a", "train"),
        subject("b", "train"),
        subject("c", "test"),
        subject("d", "val"),
        subject("e", "train"),
    ]
    prints = {"a" * 8: bits(0b0111111), "b" * 8: bits(0b1111111 << 20), "c" * 8: bits(0), "d" * 8: bits(0x3F << 40)}
    # a and c differ in 6 bits, b and c in 7; d (val) and c (test) in 6; e has no fingerprint.
    left_out = LeftOut()
    kept = without_leaks(some, prints, left_out, drop=True)
    assert [one.name for one in kept] == ["b", "c", "e"]
    assert sorted(left_out.named("leaked")) == [
        "train/a: near test/c, 6 bits of 64 differ",
        "val/d: near test/c, 6 bits of 64 differ",
    ]
    with pytest.raises(
        UsageError, match=r"images that are in one part and, equal or nearly so, in a later one: 2 \(train/a"
    ):
        without_leaks(some, prints, LeftOut(), drop=False)


def test_pictures_with_nothing_to_see_resemble_none() -> None:
    some = [subject("a", "train"), subject("b", "test")]
    assert without_leaks(some, {"a" * 8: b"", "b" * 8: b""}, LeftOut(), drop=False) == some


def test_one_name_for_two_contents_in_two_parts() -> None:
    with pytest.raises(UsageError, match="two different images in train and test are called 'a'"):
        without_leaks([subject("a", "train"), subject("a", "test", "x")], {}, LeftOut(), drop=True)


@pytest.fixture
def leaking(tmp_path: Path) -> dict[str, Any]:
    """The content of a.png is in train, and under another name in test."""
    said = {"a.png": [entry("leg")], "b.png": [entry("arm")], "copy.png": [entry("leg")]}
    pair = annotated(tmp_path, said)
    shutil.copy(pair.images / "a.png", pair.images / "copy.png")
    split = tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["a.png", "b.png"], "test": ["copy.png"]}))
    return {"pair": pair, "split": str(split)}


def test_equal_files_are_refused_or_leave_training(tmp_path: Path, leaking: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=r"\(train/a.png: the same file as test/copy.png\).*--leakage drop"):
        make(tmp_path / "out", **leaking)
    report = make(tmp_path / "out", leakage="drop", **leaking)
    assert report["left_out"]["leaked"]["count"] == 1
    for part, name in (("train", "b.png"), ("test", "copy.png")):
        assert [Path(one["image"]).name for one in lines(tmp_path / "out" / f"{part}.jsonl")] == [name]
