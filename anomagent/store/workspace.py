"""The workspace: the folder that holds everything that was found, asked and paid for."""

import sqlite3
from collections.abc import Generator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from anomagent.errors import ConfigurationError
from anomagent.store.database import connect, store_errors, transaction
from anomagent.store.migrations import migrate


@dataclass(frozen=True)
class Workspace:
    """A folder that is known to exist and to have the current schema; get one from `Workspace.open`."""

    path: Path
    """Absolute path of the folder."""

    @classmethod
    def open(cls, path: str | Path, create: bool = True) -> Self:
        """Open the workspace at `path`, bringing its schema up to date; any number of processes may do so at once.

        Raises `ConfigurationError` where the folder is none or does not exist (and `create` is false), or where a newer
        version of this package wrote its database; `StoreError` where it cannot be written or its database is damaged.
        """
        folder = Path(path).expanduser().absolute()
        workspace = cls(folder)
        if folder.exists() and not folder.is_dir():
            raise ConfigurationError(f"workspace {folder}: is a file, not a folder; choose another --workspace")
        if not create and not workspace.database_path.exists():
            raise ConfigurationError(
                f"workspace {folder}: nothing there; analyse an image first or choose another --workspace"
            )
        with store_errors(folder):
            for needed in (folder, workspace.images, workspace.locks):
                needed.mkdir(parents=True, exist_ok=True)
            with closing(connect(workspace.database_path)) as connection:
                migrate(connection, folder)
        return workspace

    @property
    def database_path(self) -> Path:
        """The main database: open it with datasette."""
        return self.path / "anomagent.db"

    @property
    def checkpoints_path(self) -> Path:
        """LangGraph's checkpoints; written by the graph, not by this package."""
        return self.path / "checkpoints.db"

    @property
    def images(self) -> Path:
        """Copies of the images, named by content."""
        return self.path / "images"

    @property
    def locks(self) -> Path:
        """Lock files of living processes."""
        return self.path / "locks"

    @contextmanager
    def reading(self) -> Generator[sqlite3.Connection]:
        """A connection that sees one moment of the database, whatever others write meanwhile."""
        with store_errors(self.path), closing(connect(self.database_path)) as connection:
            connection.execute("BEGIN")
            yield connection

    @contextmanager
    def writing(self) -> Generator[sqlite3.Connection]:
        """A connection inside one write transaction, committed when the block ends without an error."""
        with (
            store_errors(self.path),
            closing(connect(self.database_path)) as connection,
            transaction(connection),
        ):
            yield connection
