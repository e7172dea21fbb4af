"""Checkpoints in a real Postgres: a cluster of our own on loopback, made for the test and removed after it."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from anomagent.errors import ConfigurationError
from anomagent.graph.checkpoints import open_checkpointer
from anomagent.state.context import AnalysisContext
from tests.graph.world import analyze, names_of, world_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a fresh cluster."""
    binaries = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    if not binaries:
        pytest.skip("PostgreSQL's server binaries are not installed (Debian: apt-get install postgresql)")
    folder = tmp_path_factory.mktemp("postgres")
    if os.geteuid() == 0:  # the server refuses to run as root
        for path in (folder, *folder.parents[:2]):
            path.chmod(0o755)
        shutil.chown(folder, "postgres")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    data = folder / "data"
    _as_server(binaries[-1] / "initdb", "-D", data, "-U", "tester", "-A", "trust", "--no-sync")
    options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder} -c fsync=off"
    _as_server(binaries[-1] / "pg_ctl", "-D", data, "-w", "-o", options, "-l", folder / "log", "start")
    try:
        yield f"postgresql://tester@127.0.0.1:{port}/postgres"
    finally:
        _as_server(binaries[-1] / "pg_ctl", "-D", data, "-m", "immediate", "stop")


def _as_server(*command: str | Path) -> None:
    prefix = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    subprocess.run([*prefix, *map(str, command)], check=True, stdout=subprocess.DEVNULL, cwd="/")


async def test_an_interrupted_thread_resumes_without_asking_again(postgres: str, tmp_path: Path) -> None:
    context = AnalysisContext()
    ask = world_of(names_of(2)).on("AnomalyFormatter.format", KeyError("pulled the plug"))
    async with open_checkpointer(tmp_path / "unused.db", postgres) as saver:
        with pytest.raises(KeyError):
            await analyze(ask, context, checkpointer=saver)
    finished = len(ask.answered)

    again = world_of(names_of(2))
    async with open_checkpointer(tmp_path / "unused.db", postgres) as saver:
        state = await analyze(again, context, checkpointer=saver, start=None)
    assert [anomaly["name"] for anomaly in state["anomalies"]] == ["floating cup", "floating chair"]
    assert again.steps() == ["AnomalyFormatter.format"]
    assert len(state["calls"]) == finished + 1
    assert not (tmp_path / "unused.db").exists()


async def test_a_server_that_is_away_is_said_in_one_line(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot connect to the Postgres"):
        async with open_checkpointer(tmp_path / "unused.db", "postgresql://tester@127.0.0.1:1/postgres"):
            pass
