"""A real Postgres for tests: a cluster of our own on loopback, made for the tests and removed after them."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Server:
    """A running cluster that can be stopped and started again."""

    binaries: Path
    folder: Path
    port: int

    @property
    def url(self) -> str:
        return f"postgresql://tester@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        options = f"-p {self.port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={self.folder} -c fsync=off"
        self.control("-w", "-o", options, "-l", self.folder / "log", "start")

    def stop(self) -> None:
        """As a crash: sessions end at once."""
        self.control("-w", "-m", "immediate", "stop")

    def control(self, *arguments: str | Path) -> None:
        _as_server(self.binaries / "pg_ctl", "-D", self.folder / "data", *arguments)


@contextmanager
def running_server() -> Generator[Server]:
    """A fresh cluster. Skips the test where the server's binaries are missing."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        pytest.skip("PostgreSQL's server binaries are not installed (Debian: apt-get install postgresql)")
    with tempfile.TemporaryDirectory(prefix="pg-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        if os.geteuid() == 0:  # the server refuses to run as root
            folder.chmod(0o755)
            shutil.chown(folder, "postgres")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        server = Server(binaries[-1], folder, port)
        _as_server(binaries[-1] / "initdb", "-D", folder / "data", "-U", "tester", "-A", "trust", "--no-sync")
        server.start()
        try:
            yield server
        finally:
            server.stop()


def _as_server(*command: str | Path) -> None:
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")
