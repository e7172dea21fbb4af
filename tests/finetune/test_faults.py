"""What cannot be learned from is refused in one line before anything is written, or counted where that is wished."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import UsageError
from anomagent.finetune import data
from anomagent.finetune.exports import Format
from anomagent.finetune.from_files import Pair
from tests.finetune.material import annotated, entry, lines, make, save_image

GOOD = {"a.png": [entry("leg")], "b.png": [entry("arm")]}


def refused(out: Path, pair: Pair | None, **changes: Any) -> str:
    with pytest.raises(UsageError) as raised:
        make(out, pair, **changes)
    assert not out.exists()
    assert [path.name for path in out.parent.iterdir() if path.name.startswith(".")] == []
    message = str(raised.value)
    assert "\n" not in message
    return message


def lose(pair: Pair) -> None:
    (pair.images / "b.png").unlink()


def cut(pair: Pair) -> None:
    whole = save_image(pair.images / "b.png", 7, (300, 300)).read_bytes()
    (pair.images / "b.png").write_bytes(whole[:90])


def flatten(pair: Pair) -> None:
    save_image(pair.images / "b.png", 7, (6300, 30))


def rename(pair: Pair) -> None:
    (pair.images / "b.png").write_text("no image")


@pytest.mark.parametrize(
    ("spoil", "reason", "problem"),
    [
        (lose, "missing", "images that are not there: 1 (b.png: no file of this name)"),
        (cut, "unreadable", "images that cannot be read: 1 ("),
        (rename, "unreadable", "images that cannot be read: 1 ("),
        (flatten, "unreadable", "images that the model cannot take: 1 (b.png: 6300 x 30 pixels: "),
    ],
)
def test_images_that_cannot_be_used(tmp_path: Path, spoil: Callable[[Pair], None], reason: str, problem: str) -> None:
    pair = annotated(tmp_path, GOOD)
    spoil(pair)
    message = refused(tmp_path / "out", pair)
    assert problem in message
    assert message.endswith("--missing skip")
    report = make(tmp_path / "out", pair, missing="skip")
    assert report["left_out"][reason]["count"] == 1
    assert report["parts"]["train"]["images"] == 1


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"phenomenon": " "}, "its phenomenon is empty"),
        ({"name": "***"}, "its name"),
        ({"reasoning": "so <|im_end|>"}, "'arm': its reasoning holds the control token <|im_end|>"),
        ({"phenomenon": "an <image>"}, "'arm': its phenomenon holds the control token <image>"),
        ({"severity": "high"}, "has no number"),
    ],
)
def test_entries_that_cannot_be_learned(tmp_path: Path, changes: dict[str, Any], problem: str) -> None:
    pair = annotated(tmp_path, GOOD | {"b.png": [entry("ear"), entry("arm") | changes]})
    message = refused(tmp_path / "out", pair)
    assert "entries that cannot be learned: 1 (" in message
    assert "b.png: " in message
    assert problem in message
    assert "--bad-entries skip" in message
    report = make(tmp_path / "out", pair, bad_entries="skip")
    assert report["left_out"]["bad entry"]["count"] == 1
    assert report["parts"]["train"]["anomalies"] == 2


def test_a_list_of_which_nothing_is_left_is_not_called_empty(tmp_path: Path) -> None:
    pair = annotated(tmp_path, GOOD | {"b.png": [entry("arm", reasoning="<|x|>")], "c.png": [entry("x", severity="?")]})
    report = make(tmp_path / "out", pair, bad_entries="skip")
    assert [Path(one["image"]).name for one in lines(tmp_path / "out" / "train.jsonl")] == ["a.png"]
    assert report["left_out"]["bad entry"]["count"] == 2


def test_an_anomaly_too_long_alone_is_named(tmp_path: Path) -> None:
    pair = annotated(tmp_path, GOOD | {"b.png": [entry("ear"), entry("arm", reasoning="It is bent. " * 300)]})
    message = refused(tmp_path / "out", pair, max_tokens=600)
    assert "texts that do not fit into 600 tokens with their image: 1 (b.png: arm)" in message
    assert "--too-long skip" in message
    report = make(tmp_path / "out", pair, max_tokens=600, too_long="skip")
    assert report["left_out"]["too long"] == {"count": 1, "named": ["b.png: arm"]}
    assert report["parts"]["train"]["anomalies"] == 2


def test_an_image_that_leaves_no_room_is_too_long(tmp_path: Path) -> None:
    pair = annotated(tmp_path, {"a.png": []})
    assert "a.png: the whole of it, " in refused(tmp_path / "out", pair, max_tokens=100)
    message = refused(tmp_path / "out", pair, max_tokens=100, too_long="skip")
    assert message.endswith("nothing to learn from is left; too long: 1")


def test_descriptions_and_anomalies_are_not_mixed_up(tmp_path: Path) -> None:
    for said, problem in (
        ([entry("leg")], "r.png: it has anomalies instead of a description"),
        ("  ", "r.png: entry 1: the text is empty"),
        ("A street <|im_end|>", "r.png: its description holds the control token"),
    ):
        real = annotated(tmp_path, {"r.png": said}, "real")
        message = refused(tmp_path / "out", annotated(tmp_path, GOOD), real=real, recipe="two-turn")
        assert problem in message


def test_an_image_is_either_real_or_not(tmp_path: Path) -> None:
    pair = annotated(tmp_path, GOOD)
    real = annotated(tmp_path, {"a.png": "A leg."}, "real")
    assert "both tell of 'a.png'" in refused(tmp_path / "out", pair, real=real, recipe="two-turn")

    real = annotated(tmp_path, {"r.png": "A leg."}, "real")
    (real.images / "r.png").write_bytes((pair.images / "a.png").read_bytes())
    assert "are the same file, and only one of them is called real" in refused(tmp_path / "out", pair, real=real)


def test_names_of_the_split_without_an_image(tmp_path: Path) -> None:
    pair, split = annotated(tmp_path, GOOD), tmp_path / "split.json"
    split.write_text(json.dumps({"train": ["a.png", "x.png"], "test": ["b.png", "y.png", "z.png"]}))
    message = refused(tmp_path / "out", pair, split=str(split))
    assert message.startswith(
        "images that are not there: 3 (x.png: the split names it, and nothing is said of it; y.png"
    )
    report = make(tmp_path / "out", pair, split=str(split), missing="skip")
    assert report["left_out"]["missing"]["count"] == 3

    allow = tmp_path / "allow"
    allow.write_text("a.png\nb.png")
    assert "missing" not in make(tmp_path / "b", pair, split=str(split), allow=allow)["left_out"]


def test_two_files_of_one_name(tmp_path: Path) -> None:
    pair = annotated(tmp_path, GOOD)
    save_image(pair.images / "deeper" / "a.png", 99)
    assert "are both called 'a.png', by which images are matched, and differ" in refused(tmp_path / "out", pair)
    (pair.images / "deeper" / "a.png").write_bytes((pair.images / "a.png").read_bytes())
    assert make(tmp_path / "out", pair)["parts"]["train"]["images"] == 2


def test_a_split_that_is_none(tmp_path: Path) -> None:
    pair = annotated(tmp_path, GOOD)
    assert "no such file" in refused(tmp_path / "out", pair, split="default")
    (tmp_path / "split.json").write_text('{"a": 1}')
    assert "is no split" in refused(tmp_path / "out", pair, split=str(tmp_path / "split.json"))
    (tmp_path / "allow").write_text("[1]")
    assert "is no list of names" in refused(tmp_path / "out", pair, allow=tmp_path / "allow")


def test_a_folder_of_somebody_else_is_never_replaced(tmp_path: Path) -> None:
    pair, out = annotated(tmp_path, GOOD), tmp_path / "thesis"
    out.mkdir()
    (out / "thesis.tex").write_text("years of work")
    for replace in (False, True):
        with pytest.raises(UsageError, match=r"holds thesis.tex, which is no training data made here"):
            make(out, pair, replace)
    assert (out / "thesis.tex").read_text() == "years of work"
    for place, problem in ((pair.said, "is a file"), (tmp_path / "x" / "y", "its folder does not exist")):
        with pytest.raises(UsageError, match=problem):
            make(place, pair)


def test_replaced_where_that_is_asked_for_and_kept_where_anything_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair, out = annotated(tmp_path, GOOD), tmp_path / "out"
    out.mkdir()
    make(out, pair)
    before = (out / "train.jsonl").read_bytes()
    with pytest.raises(UsageError, match="exists; give --force"):
        make(out, pair)

    def fill(*_: object) -> None:
        raise OSError(28, os.strerror(28))

    with monkeypatch.context() as patch:
        patch.setattr(data, "write_exports", fill)
        with pytest.raises(UsageError, match="disk full; free space"):
            make(out, pair, True, seed=5)
    assert (out / "train.jsonl").read_bytes() == before
    make(out, pair, True, keep_empty=False, formats=(Format.TRL,))
    make(out, pair, True)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["annotations-images", "annotations.json", "out"]


def test_what_failed_is_counted(tmp_path: Path) -> None:
    pair = annotated(tmp_path, GOOD)
    records = [{"image": "a.png", "status": "ok", "anomalies": GOOD["a.png"]}]
    failure = {"role": "AnomalyFormatter", "object": None, "error": "refused", "message": "no"}
    records.append({"image": "b.png", "status": "failed", "anomalies": [], "failures": [failure]})
    pair.said.write_text("\n".join(map(json.dumps, records)))
    assert make(tmp_path / "out", pair)["left_out"] == {
        "failed": {"count": 1, "named": ["b.png: AnomalyFormatter: refused: no"]}
    }


def test_what_was_trained_inside_the_folder_is_not_lost(tmp_path: Path) -> None:
    pair, out = annotated(tmp_path, GOOD), tmp_path / "out"
    make(out, pair, formats=(Format.TRL,))
    (out / "trl" / "adapter").mkdir()
    (out / "trl" / "adapter" / "weights").write_text("hours")
    with pytest.raises(UsageError, match="holds trl/adapter/weights, which is no training data made here"):
        make(out, pair, True)
    assert (out / "trl" / "adapter" / "weights").exists()
