"""One server for one workspace: what is handed out to whom is known to that one alone."""

from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from anomagent.errors import UsageError
from anomagent.report.plain import printable
from anomagent.store.workspace import Workspace

_LONGEST_URL = 300


class Claim:
    """What the server of a workspace tells whoever would start a second one."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def tell(self, url: str) -> None:
        """Note where the review is found."""
        self._path.write_text(url)


@contextmanager
def claimed(workspace: Workspace) -> Generator[Claim]:
    """This process alone serves the workspace's review, until the block ends or the process does, however it does.

    Raises `UsageError` where another one does so already.
    """
    address = workspace.locks / "review.url"
    lock = FileLock(workspace.locks / "review.lock", timeout=0)
    try:
        lock.acquire()
    except Timeout as error:
        where = f"at {_read(address)}: open that page" if _read(address) else "by another process: open its page"
        raise UsageError(f"workspace {workspace.path}: is being reviewed {where}, or end that server first") from error
    try:
        address.unlink(missing_ok=True)  # of one that was killed
        yield Claim(address)
    finally:
        address.unlink(missing_ok=True)
        lock.release()


def _read(path: Path) -> str:
    """The other server's address; empty where it has not told it yet."""
    try:
        return " ".join(printable(path.read_text(errors="replace")).split())[:_LONGEST_URL]
    except FileNotFoundError:
        return ""
