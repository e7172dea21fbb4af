"""Who is alive: a locked file for each process at work, which the system unlocks however the process ends."""

import os
import platform
import uuid
from pathlib import Path

try:
    import fcntl
except ImportError:  # Windows: leases still run out, only later
    fcntl = None


class Owner:
    """The holder of claims. Its lock file tells other processes on this machine, at once, when it is gone.

    Where the file system knows no locks nobody is ever declared gone, and claims end when their lease does.
    """

    def __init__(self, folder: Path) -> None:
        self.id = uuid.uuid4().hex
        self.host = platform.node()
        self.pid = os.getpid()
        self._folder = folder
        self._locked = False
        self._sweep()
        self._descriptor: int | None = self._lock()

    @property
    def is_locked(self) -> bool:
        """Whether the file system knows locks, so that the file of a living process is a locked one."""
        return self._locked

    def is_gone(self, owner: str) -> bool:
        """Whether the process that held the claims of `owner` has certainly ended."""
        try:
            descriptor = os.open(self._path(owner), os.O_RDWR)
        except FileNotFoundError:
            return True
        except OSError:
            return False
        try:
            if not _lock(descriptor, wait=False):
                return False
            self._path(owner).unlink(missing_ok=True)
            return True
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Be gone, in good order. May be called twice."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            self._path(self.id).unlink(missing_ok=True)
            os.close(descriptor)

    def _path(self, owner: str) -> Path:
        return self._folder / f"ledger-{owner}.lock"

    def _lock(self) -> int:
        """Create and lock our file. A sweep that came in between has unlinked it: then start over."""
        while True:
            descriptor = os.open(self._path(self.id), os.O_RDWR | os.O_CREAT, 0o666)
            self._locked = _lock(descriptor, wait=True)
            if not self._locked or _is_file(descriptor, self._path(self.id)):
                return descriptor
            os.close(descriptor)

    def _sweep(self) -> None:
        """Remove the files of processes that were killed."""
        for path in self._folder.glob("ledger-*.lock"):
            self.is_gone(path.stem.removeprefix("ledger-"))


def _lock(descriptor: int, wait: bool) -> bool:
    """Lock an open file; false where another holds it or the file system knows no locks."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True


def _is_file(descriptor: int, path: Path) -> bool:
    """Whether the open file is still the one that `path` names."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False
