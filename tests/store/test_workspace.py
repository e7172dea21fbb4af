import re
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from anomagent.errors import AnomagentError, ConfigurationError, StoreError
from anomagent.store import Workspace
from anomagent.store.migrations import STEPS
from tests.store.helpers import finish, start

OPEN = """
import sys
from anomagent.store import Workspace
sys.stdin.readline()
with Workspace.open(sys.argv[1]).reading() as connection:
    print(connection.execute("SELECT count(*) FROM _migrations").fetchone()[0])
"""


def test_opening_creates_the_folder_and_the_schema(tmp_path: Path) -> None:
    workspace = Workspace.open(tmp_path / "a" / "b")

    assert workspace.path == tmp_path / "a" / "b"
    assert workspace.images.is_dir()
    assert workspace.locks.is_dir()
    with workspace.reading() as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
    assert tables >= {
        "images", "image_names", "runs", "analyses", "objects", "findings", "candidates", "anomalies", "calls",
        "call_claims", "analysis_calls", "failures", "reviews", "predictions", "scores",
    }  # fmt: skip


def test_opening_again_changes_nothing(workspace: Workspace) -> None:
    def content() -> list[tuple[object, ...]]:
        with workspace.reading() as connection:
            return connection.execute("SELECT name, applied FROM _migrations ORDER BY name").fetchall()

    before = content()
    Workspace.open(workspace.path)

    assert content() == before
    assert [name for name, _ in before] == sorted(STEPS)


def test_an_older_schema_is_brought_up_to_date(workspace: Workspace) -> None:
    with workspace.writing() as connection:
        for view in ("statements", "latest_analyses", "reported_anomalies", "verdicts", "costs", "results"):
            connection.execute(f"DROP VIEW {view}")
        connection.execute("DELETE FROM _migrations WHERE name = 'm005_views'")

    Workspace.open(workspace.path)

    with workspace.reading() as connection:
        assert connection.execute("SELECT * FROM results").fetchall() == []


def test_processes_may_open_a_new_workspace_at_once(tmp_path: Path) -> None:
    processes = [start(OPEN, tmp_path / "new") for _ in range(3)]

    assert [finish(process, "go\n") for process in processes] == [str(len(STEPS))] * 3


def test_a_failed_transaction_leaves_nothing(workspace: Workspace) -> None:
    def half() -> None:
        with workspace.writing() as connection:
            connection.execute("INSERT INTO runs VALUES ('r', 'now', NULL, 'run', 'h', '{}')")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()

    with workspace.reading() as connection:
        assert connection.execute("SELECT * FROM runs").fetchall() == []


@dataclass(frozen=True)
class Case:
    id: str
    spoil: Callable[[Path], object]
    message: str
    create: bool = True
    error: type[AnomagentError] = ConfigurationError


def _newer(path: Path) -> None:
    with Workspace.open(path).writing() as connection:
        connection.execute("INSERT INTO _migrations VALUES ('m999_future', '')")


def _foreign(path: Path) -> None:
    path.mkdir()
    connection = sqlite3.connect(path / "anomagent.db")
    connection.execute("CREATE TABLE notes (text)")
    connection.close()


def _scribbled(path: Path) -> None:
    path.mkdir()
    (path / "anomagent.db").write_text("this is a shopping list, not a database\n" * 100)


CASES = [
    Case("newer schema", _newer, "written by a newer anomagent (m999_future); upgrade"),
    Case("foreign database", _foreign, "was not made by anomagent"),
    Case("no database", _scribbled, "damaged or no database", error=StoreError),
    Case("a file", lambda path: path.write_text("x"), "is a file, not a folder"),
    Case("missing", lambda path: None, "nothing there", create=False),
    Case(
        "database is a folder",
        lambda path: (path / "anomagent.db").mkdir(parents=True),
        "cannot be written",
        error=StoreError,
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_a_workspace_that_cannot_be_used_says_what_to_do(tmp_path: Path, case: Case) -> None:
    case.spoil(tmp_path / "w")

    with pytest.raises(case.error, match=re.escape(case.message)) as caught:
        Workspace.open(tmp_path / "w", create=case.create)

    assert str(tmp_path / "w") in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")

    with pytest.raises(StoreError, match="cannot be written"):
        Workspace.open(tmp_path / "file" / "w")
