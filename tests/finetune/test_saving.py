"""Folders that are whole or absent, and which checkpoints stay."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.finetune.callbacks import duration, trim_log
from anomagent.finetune.saving import checkpoints, keep_latest, whole_folder


def test_a_folder_is_there_when_it_is_whole(tmp_path: Path) -> None:
    with whole_folder(tmp_path / "adapter") as folder:
        (folder / "weights").write_text("1")
        (folder / "weights").chmod(0o600)
        assert not (tmp_path / "adapter").exists()
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]
    (tmp_path / "new").touch()
    assert (tmp_path / "adapter" / "weights").stat().st_mode == (tmp_path / "new").stat().st_mode


def test_a_folder_that_fails_leaves_the_older_one(tmp_path: Path) -> None:
    for words in ("old", None):
        try:
            with whole_folder(tmp_path / "adapter") as folder:
                (folder / "weights").write_text(words or "half")
                if words is None:
                    raise OSError(28, "No space left on device")
        except OSError:
            assert words is None
    assert (tmp_path / "adapter" / "weights").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["adapter"]


def test_the_latest_checkpoints_stay(tmp_path: Path) -> None:
    for name in ("checkpoint-9", "checkpoint-10", "checkpoint-100", "checkpoint-x", "adapter"):
        (tmp_path / name).mkdir()
    assert [path.name for path in checkpoints(tmp_path)] == ["checkpoint-9", "checkpoint-10", "checkpoint-100"]
    keep_latest(tmp_path, 2)
    assert {path.name for path in tmp_path.iterdir()} == {
        "checkpoint-10",
        "checkpoint-100",
        "checkpoint-x",
        "adapter",
    }


def test_a_log_forgets_what_is_done_again(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    log.write_text('{"step": 1}\n{"step": 2}\n{"step": 3}\n{"ste')
    trim_log(log, 2)
    assert log.read_text() == '{"step": 1}\n{"step": 2}\n'
    trim_log(log, -1)
    assert log.read_text() == ""
    trim_log(tmp_path / "none.jsonl", 2)


@pytest.mark.parametrize(("seconds", "words"), [(40.4, "40 s"), (90, "2 min"), (5399, "90 min"), (12_600, "3.5 h")])
def test_durations(seconds: float, words: str) -> None:
    assert duration(seconds) == words
