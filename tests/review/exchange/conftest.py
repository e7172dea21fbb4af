from pathlib import Path
from shutil import copytree

import pytest

from anomagent.store import Workspace


@pytest.fixture
def other(filled: Path, tmp_path: Path) -> Workspace:
    """A copy of the workspace in which nobody has answered."""
    return Workspace.open(copytree(filled, tmp_path / "other"))
