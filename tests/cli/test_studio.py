import json
import socket
from pathlib import Path
from typing import Any

import pytest

from anomagent.cli import studio
from tests.cli.conftest import Cli


@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_addresses_that_others_reach_are_refused(host: str, cli: Cli) -> None:
    outcome = cli("studio", "--host", host)

    assert outcome.code == 2
    assert "no access control" in outcome.err


def test_missing_extra_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "find_spec", lambda name: None)
    outcome = cli("studio")

    assert (outcome.code, outcome.err) == (2, "anomagent: Studio needs an extra: pip install 'anomagent[studio]'\n")


def test_server_gets_our_graph_and_reports_nothing(cli: Cli, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    started: list[tuple[list[str], dict[str, str], Any]] = []

    def serve(command: list[str], environment: dict[str, str]) -> int:
        config = Path(command[command.index("--config") + 1])
        started.append((command, environment, json.loads(config.read_text())))
        return 0

    monkeypatch.setattr(studio, "_serve", serve)
    port = _free_port()
    outcome = cli("studio", "--port", port, "--workspace", "w", "--no-browser")

    (command, environment, config) = started[0]
    assert outcome.code == 0
    assert config["graphs"] == {"anomagent": "anomagent.graph.studio:graph"}
    assert {"--no-reload", "--no-browser", "127.0.0.1", str(port)} <= set(command)
    assert environment["LANGSMITH_TRACING"] == "false"
    assert environment["LANGGRAPH_CLI_NO_ANALYTICS"] == "1"
    assert environment["ANOMAGENT_WORKSPACE"] == str(tmp_path / "w")


def test_server_that_fails_is_an_error(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(studio, "_serve", lambda command, environment: 7)
    outcome = cli("studio", "--port", _free_port())

    assert outcome.code == 2
    assert outcome.err.splitlines()[-1] == ("anomagent: langgraph dev ended with code 7; its messages above say why")


def test_port_in_use_is_said(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cli("studio", "--port", port)

    assert outcome.code == 2
    assert outcome.err.startswith(f"anomagent: cannot listen on 127.0.0.1:{port}")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return probe.getsockname()[1]
