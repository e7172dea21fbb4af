"""Files are whole or not there, nothing is replaced unasked, and memory does not grow with them."""

import errno
import json
import os
import resource
import tracemalloc
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from anomagent.dataset.export import Shape
from anomagent.dataset.stages import Stage
from anomagent.errors import StoreError, UsageError
from anomagent.store import Workspace
from tests.dataset.filling import LONG, add, begin, export_all, fill, store_two
from tests.store.helpers import result


@pytest.fixture(scope="module")
def full(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A workspace with 2,000 analyses."""
    workspace = Workspace.open(tmp_path_factory.mktemp("full"))
    fill(workspace, 2_000)
    return workspace


@pytest.mark.parametrize("content", ["released", "jsonl", "classic", "reports"])
def test_one_image_is_in_memory_at_a_time(full: Workspace, tmp_path: Path, content: Shape | Stage) -> None:
    """2,000 images with 2,000 characters each are 4 MB of text; a tenth of that is enough at any moment."""
    tracemalloc.start()
    try:
        counts = export_all(full, tmp_path / "out", content)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (counts.images, counts.anomalies) == (2_000, 2_000)
    assert (tmp_path / "out").stat().st_size > 2_000 * len(LONG)
    assert peak < 400_000


def test_one_connection_for_all(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(workspace, 20)
    opened: list[None] = []
    reading = Workspace.reading

    @contextmanager
    def counted(self: Workspace) -> Generator[Any]:
        opened.append(None)
        with reading(self) as connection:
            yield connection

    monkeypatch.setattr(Workspace, "reading", counted)
    export_all(workspace, tmp_path / "out", "reports")
    assert len(opened) == 1


def test_nothing_is_replaced_unasked(workspace: Workspace, tmp_path: Path) -> None:
    store_two(workspace)
    out = tmp_path / "out.json"
    out.write_text("before")
    with pytest.raises(UsageError, match=r"exists; give --force"):
        export_all(workspace, out)
    assert out.read_text() == "before"

    (tmp_path / "link.json").symlink_to(out)
    export_all(workspace, tmp_path / "link.json", overwrite=True)
    assert len(json.loads(out.read_text())) == 2
    assert (tmp_path / "link.json").is_symlink()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("none/out.json", "its folder does not exist"),
        ("workspace", "belongs to the workspace"),
        ("workspace/locks", "belongs to the workspace"),
        ("workspace/locks/x.lock", "belongs to the workspace"),
        ("workspace/images/ab/x.png", "belongs to the workspace"),
        ("workspace/named/x.png", "belongs to the workspace"),
        ("workspace/anomagent.db", "belongs to the workspace"),
        ("workspace/anomagent.db-wal", "belongs to the workspace"),
        ("x" * 300, "cannot be written"),
        ("x" * 250, "cannot be written"),
        ("\0", "cannot be written"),
        ("loop", "cannot be written"),
        ("/dev/null", "no regular file"),
    ],
)
def test_places_that_cannot_be_written(workspace: Workspace, tmp_path: Path, place: str, message: str) -> None:
    store_two(workspace)
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    there = sorted(tmp_path.iterdir())
    with pytest.raises(UsageError, match=message) as caught:
        export_all(workspace, tmp_path / place, overwrite=True)
    assert "\n" not in str(caught.value)
    assert sorted(tmp_path.iterdir()) == there


def test_a_disk_that_is_full(workspace: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store_two(workspace)
    out = tmp_path / "out.json"
    out.write_text("before")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(UsageError, match=r"out.json: not written: disk full; free space"):
        export_all(workspace, out, overwrite=True)
    assert out.read_text() == "before"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out.json", "workspace"]


def test_a_file_that_may_not_grow(workspace: Workspace, tmp_path: Path) -> None:
    """The system stops the writing half-way, as a quota would."""
    fill(workspace, 100)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(UsageError, match=r"out.json: cannot be written \(File too large\)"):
            export_all(workspace, tmp_path / "out.json")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]


def test_what_no_reader_accepts_is_not_written(workspace: Workspace, tmp_path: Path) -> None:
    add(workspace, begin(workspace), "a.png", anomalies=[{**result("")["anomalies"][0], "reasoning": " "}])
    with pytest.raises(UsageError, match=r"an anomaly of 'a.png' has an empty text; use jsonl"):
        export_all(workspace, tmp_path / "out.json")
    export_all(workspace, tmp_path / "out.jsonl", "jsonl")
    assert [path.name for path in sorted(tmp_path.iterdir())] == ["out.jsonl", "workspace"]


def test_a_damaged_store_leaves_no_file(workspace: Workspace, tmp_path: Path) -> None:
    fill(workspace, 500)
    with workspace.writing() as connection:
        (page, size) = connection.execute(
            "SELECT rootpage, (SELECT page_size FROM pragma_page_size) FROM sqlite_schema WHERE name = 'anomalies'"
        ).fetchone()
    with workspace.reading() as connection:
        connection.rollback()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with workspace.database_path.open("r+b") as database:
        database.seek((page - 1) * size)
        database.write(b"\xff" * size)
    with pytest.raises(StoreError, match="damaged"):
        export_all(workspace, tmp_path / "out.json")
    assert [path.name for path in tmp_path.iterdir()] == ["workspace"]
