"""Fingerprints of images: measured once for each content and method, whatever they are used for afterwards."""

from collections.abc import Iterable
from pathlib import Path

from anomagent.store.workspace import Workspace


def find_unmeasured(workspace: Workspace, method: str) -> list[tuple[str, Path]]:
    """Content hash and copy of the images without a fingerprint of `method`, but those that a filter dropped."""
    query = """
        SELECT sha256, path FROM images
        WHERE sha256 NOT IN (SELECT sha256 FROM fingerprints WHERE method = ?)
          AND sha256 NOT IN (SELECT sha256 FROM dropped_images WHERE stage != 'dedupe') ORDER BY sha256
    """
    with workspace.reading() as connection:
        return [(sha256, workspace.path / path) for sha256, path in connection.execute(query, (method,))]


def save_fingerprints(workspace: Workspace, method: str, values: Iterable[tuple[str, bytes]]) -> None:
    """Keep fingerprints by content hash; those that another process kept meanwhile stay."""
    query = "INSERT OR IGNORE INTO fingerprints (sha256, method, value) VALUES (?, ?, ?)"
    with workspace.writing() as connection:
        connection.executemany(query, ((sha256, method, value) for sha256, value in values))


def read_fingerprints(workspace: Workspace, method: str) -> dict[str, bytes]:
    """All fingerprints of `method`, by content hash."""
    with workspace.reading() as connection:
        query = "SELECT sha256, value FROM fingerprints WHERE method = ? ORDER BY sha256"
        return dict(connection.execute(query, (method,)))
