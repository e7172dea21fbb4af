from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from anomagent.evaluation.similarity.content import content_hash

MEBI = 2**20


@pytest.fixture
def reads(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Names of the files that are read, one by one."""
    names: list[str] = []
    digest = hashlib.file_digest

    def count(file: Any, algorithm: str) -> Any:
        names.append(Path(file.name).name)
        return digest(file, algorithm)

    monkeypatch.setattr(hashlib, "file_digest", count)
    return names


def write(directory: Path, **files: str) -> Path:
    directory.mkdir()
    for name, content in files.items():
        (directory / name).write_text(content)
    return directory


def test_one_byte_anywhere_in_large_weights_counts(tmp_path: Path) -> None:
    """As many bytes as a sample of blocks would not see all of; the files are sparse."""
    hashes: list[str] = []
    for name, byte in (("one", b"\1"), ("two", b"\2"), ("three", b"\1")):
        path = write(tmp_path / name) / "model.safetensors"
        with path.open("wb") as file:
            file.truncate(257 * MEBI)
            file.seek(2 * MEBI)
            file.write(byte)
        hashes.append(content_hash(path.parent))
    assert hashes[0] == hashes[2] != hashes[1]


def test_names_and_contents_count_and_places_do_not(tmp_path: Path) -> None:
    one = write(tmp_path / "one", a="1", b="2")
    assert content_hash(shutil.copytree(one, tmp_path / "copy")) == content_hash(one)
    others = [write(tmp_path / "two", a="2", b="1"), write(tmp_path / "three", a="1", c="2")]
    assert len({content_hash(each) for each in (one, *others)}) == 3


def test_files_that_no_model_is_loaded_from_do_not_count(tmp_path: Path, reads: list[str]) -> None:
    directory = write(tmp_path / "one", model="1")
    before = content_hash(directory)
    for name in ("README.md", "optimizer.pt", "train.log", "onnx"):
        (directory / name).mkdir() if name == "onnx" else (directory / name).write_text("words")
    assert content_hash(directory) == before
    assert reads == ["model"]


def test_a_file_is_read_once_as_long_as_it_stays(tmp_path: Path, reads: list[str]) -> None:
    directory = write(tmp_path / "one", a="1", b="2")
    first = content_hash(directory)
    assert content_hash(directory) == first
    assert reads == ["a", "b"]
    (directory / "b").write_text("33")
    assert content_hash(directory) != first
    assert reads == ["a", "b", "b"]


def test_a_change_that_keeps_size_and_time_is_seen(tmp_path: Path) -> None:
    directory = write(tmp_path / "one", a="1")
    before, status = content_hash(directory), (directory / "a").stat()
    other = tmp_path / "a"
    other.write_text("2")
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(directory / "a")
    assert (directory / "a").stat().st_mtime_ns == status.st_mtime_ns
    assert content_hash(directory) != before


def test_relative_directories_of_one_name_are_not_mixed_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stat(self: Path, **_: object) -> SimpleNamespace:
        """Clocks of file systems tick slowly: both files may be of the same moment."""
        return SimpleNamespace(st_mode=os.stat(self).st_mode, st_size=1, st_mtime_ns=0, st_ctime_ns=0)

    hashes: list[str] = []
    for place, content in (("here", "1"), ("there", "2")):
        write(tmp_path / place)
        write(tmp_path / place / "model", a=content)
        monkeypatch.chdir(tmp_path / place)
        with monkeypatch.context() as patch:
            patch.setattr(Path, "stat", stat)
            hashes.append(content_hash(Path("model")))
    assert hashes[0] != hashes[1]
