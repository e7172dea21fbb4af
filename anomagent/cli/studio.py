"""`anomagent studio`: the graph in LangGraph Studio, served by `langgraph dev` on this machine."""

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated

import typer

from anomagent.cli.console import note
from anomagent.cli.options import WorkspaceOption
from anomagent.errors import ConfigurationError

GRAPH = "anomagent.graph.studio:graph"


def studio(
    host: Annotated[str, typer.Option(help="Loopback address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535)] = 2024,
    workspace: WorkspaceOption = None,
    no_browser: Annotated[bool, typer.Option("--no-browser", help="Do not open the Studio page.")] = False,
) -> None:
    """Serve the graph for LangGraph Studio and its HTTP API on this machine.

    Models and schedule are those of anomagent.toml and ANOMAGENT_*, and can be changed in Studio for each run. Calls go
    through the workspace's ledger. Nothing is traced or reported elsewhere; the Studio page itself is hosted by
    LangChain and talks to this server from your browser. Ends with Ctrl-C.

    Example: `anomagent studio --port 2024 --no-browser`
    """
    _refuse_strangers(host)
    if find_spec("langgraph_cli") is None or find_spec("langgraph_api") is None:
        raise ConfigurationError("Studio needs an extra: pip install 'anomagent[studio]'")
    _refuse_taken(host, port)
    with tempfile.TemporaryDirectory(prefix="anomagent-studio-") as folder:
        config = Path(folder) / "langgraph.json"
        config.write_text(json.dumps({"dependencies": ["."], "graphs": {"anomagent": GRAPH}}), encoding="utf-8")
        command = [sys.executable, "-m", "langgraph_cli", "dev", "--config", str(config), "--no-reload"]
        command += ["--host", host, "--port", str(port), *(["--no-browser"] if no_browser else [])]
        note(f"serving the graph at http://{host}:{port} (Ctrl-C ends it)")
        code = _serve(command, _environment(workspace))
    if code:
        raise ConfigurationError(f"langgraph dev ended with code {code}; its messages above say why")


def _serve(command: list[str], environment: dict[str, str]) -> int:
    """Run the server until it ends or we are told to end; it never outlives us. Its exit code, 0 for Ctrl-C."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    with subprocess.Popen(command, env=environment) as server:
        try:
            return server.wait()
        except KeyboardInterrupt:
            server.terminate()
            return 0


def _refuse_strangers(host: str) -> None:
    """Raises `ConfigurationError` for an address that other machines can reach."""
    try:
        loopback = host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        loopback = False
    if not loopback:
        raise ConfigurationError(
            f"--host {host}: langgraph dev has no access control, so anyone who reaches it could spend your money and"
            " read your files; stay on 127.0.0.1 and use an SSH tunnel"
        )


def _refuse_taken(host: str, port: int) -> None:
    """Raises `ConfigurationError` for a port in use; langgraph dev would silently take another one."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise ConfigurationError(
                f"cannot listen on {host}:{port} ({error.strerror}); choose another --port"
            ) from None


def _environment(workspace: Path | None) -> dict[str, str]:
    """This process' environment without tracing and analytics, and with the workspace that was asked for.

    Of all web pages only Studio's own may speak to the server.
    """
    ours = {"LANGSMITH_TRACING": "false", "LANGCHAIN_TRACING_V2": "false", "LANGGRAPH_CLI_NO_ANALYTICS": "1"}
    ours["CORS_ALLOW_ORIGINS"] = "https://smith.langchain.com"
    if workspace is not None:
        ours["ANOMAGENT_WORKSPACE"] = str(workspace.absolute())
    return os.environ | ours
