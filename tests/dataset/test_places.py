"""A folder is there whole, the old one or the new one, however the process that writes it ends."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from anomagent.dataset.places import checked_place, holding, whole_folder
from anomagent.errors import UsageError
from anomagent.store import Workspace

KILLED = """
import os, signal, sys
from pathlib import Path
from anomagent.dataset.places import whole_folder

folder, rename, done = Path(sys.argv[1]), Path.rename, []

def killed(self, target):
    if len(done) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    done.append(rename(self, target))

Path.rename = killed
with whole_folder(folder, folder) as new:
    (new / "README.md").write_text("new")
"""


@pytest.fixture
def published(tmp_path: Path) -> Path:
    folder = tmp_path / "out [1]"  # no pattern, whatever it looks like
    folder.mkdir()
    (folder / "README.md").write_text("old")
    return folder


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if path.name != "workspace")


def test_the_new_folder_takes_the_place_of_the_old_one(published: Path) -> None:
    with whole_folder(published, published) as new:
        (new / "README.md").write_text("new")
    assert (published / "README.md").read_text() == "new"
    assert left_in(published.parent) == ["out [1]"]


def test_where_the_new_one_cannot_take_the_place_the_old_one_is_back(
    published: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rename = Path.rename

    def refused(self: Path, target: Path) -> Path:
        if self.suffix == ".part":
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refused)
    with pytest.raises(UsageError, match="Input/output error"), whole_folder(published, published):
        pass
    assert (published / "README.md").read_text() == "old"
    assert left_in(published.parent) == ["out [1]"]


@pytest.mark.parametrize("renames", [0, 1])
def test_a_process_that_is_killed_loses_nothing(workspace: Workspace, published: Path, renames: int) -> None:
    ended = subprocess.run([sys.executable, "-c", KILLED, str(published), str(renames)], check=False)
    assert ended.returncode == -signal.SIGKILL
    assert len(left_in(published.parent)) == 2, "something is left"
    with pytest.raises(UsageError, match="exists; give --force"):
        checked_place(workspace, published, overwrite=False, folder=True)
    assert (published / "README.md").read_text() == "old"
    assert left_in(published.parent) == ["out [1]"]


def test_what_a_living_process_writes_is_left_alone(workspace: Workspace, published: Path) -> None:
    with whole_folder(published, published) as new:
        (new / "README.md").write_text("new")
        assert checked_place(workspace, published, overwrite=True, folder=True) == published
        assert new.is_dir()
        with holding(new) as nobody_else:
            assert not nobody_else
    other = published.with_name(f".{published.name}.notes.old")
    other.mkdir()
    checked_place(workspace, published, overwrite=True, folder=True)
    assert other.is_dir(), "not a name of ours"
    assert os.listdir(other) == []
