"""The real development server, spoken to through its HTTP API as Studio does."""

from __future__ import annotations

import base64
import io
import json
import os
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from PIL import Image

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.slow


@dataclass
class Server:
    """A running server, its workspace and two scripted models."""

    url: str
    workspace: Path
    log: Path
    models: dict[str, str]

    def wait(self, **body: Any) -> dict[str, Any]:
        """Run the graph to its end and return the state."""
        answer = httpx.post(f"{self.url}/runs/wait", json={"assistant_id": "anomagent", **body}, timeout=60)
        answer.raise_for_status()
        return answer.json()

    def models_asked(self) -> dict[str, set[str]]:
        """Which scripts answered each role, by the ledger."""
        with sqlite3.connect(self.workspace / "anomagent.db") as database:
            rows = database.execute("SELECT role, model FROM calls").fetchall()
        asked: dict[str, set[str]] = {}
        for role, model in rows:
            asked.setdefault(role, set()).add(model.split(":")[1])
        return asked


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("studio")
    models: dict[str, str] = {}
    for name in ("first", "second"):
        script = folder / f"{name}.json"
        one_cup = {"objects": [{"name": "cup", "description": name}]}
        found = {"name": "Hovering cup", "phenomenon": "The cup hovers.", "reasoning": "Nothing holds it."}
        floats = {"anomalies": [{**found, "severity": 9, "objects": ["cup"]}]}
        rules = {"ObjectPerceiver": one_cup, "DirectDetector": floats}
        script.write_text(json.dumps({"rules": [{"role": r, "says": [{"reply": s}]} for r, s in rules.items()]}))
        models[name] = f"fake:{script}"
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {
        "ANOMAGENT_MODEL": models["first"],
        "ANOMAGENT_WORKSPACE": str(folder / "workspace"),
        "LANGSMITH_TRACING": "false",
        "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    }
    command = [str(Path(sys.executable).parent / "langgraph"), "dev", "--no-browser", "--no-reload"]
    log = folder / "log"
    with log.open("w") as output:
        process = subprocess.Popen(
            [*command, "--config", str(ROOT / "langgraph.json"), "--host", "127.0.0.1", "--port", str(port)],
            cwd=folder,
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    running = Server(f"http://127.0.0.1:{port}", folder / "workspace", log, models)
    try:
        _wait_until_up(running, process)
        yield running
    finally:
        process.terminate()
        process.wait(20)


def _wait_until_up(server: Server, process: subprocess.Popen[bytes]) -> None:
    for _ in range(240):
        assert process.poll() is None, server.log.read_text()
        try:
            if httpx.get(f"{server.url}/ok").status_code == 200:
                return
        except httpx.TransportError:
            pass
        time.sleep(0.25)
    pytest.fail(f"the server did not start:\n{server.log.read_text()}")


def _picture(colour: str) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (64, 48), colour).save(file, "PNG")
    return file.getvalue()


def test_the_context_shows_models_per_role_and_the_schedule(server: Server) -> None:
    assistants = httpx.post(f"{server.url}/assistants/search", json={}).json()
    schemas = httpx.get(f"{server.url}/assistants/{assistants[0]['assistant_id']}/schemas").json()
    shown = schemas["context_schema"]["properties"]
    assert shown["model"]["default"] == server.models["first"]
    assert shown["schedule"]["enum"] == ["paper", "lean", "direct"]
    assert {"object_perceiver", "attribute_analyzer", "relation_reasoner", "anomaly_integrator"} <= shown.keys()
    assert {"image_path", "messages"} <= schemas["input_schema"]["properties"].keys()


def test_one_role_is_swapped_in_the_request(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "red.png"
    image.write_bytes(_picture("red"))
    state = server.wait(
        input={"image_path": str(image)}, context={"attribute_analyzer": server.models["second"], "schedule": "lean"}
    )
    assert state["anomalies"] == []
    assert state["objects"] == [{"name": "cup", "description": "first"}]
    asked = server.models_asked()
    assert asked["AttributeAnalyzer"] == {"second.json"}
    assert asked["ObjectPerceiver"] == asked["RelationReasoner"] == {"first.json"}


def test_an_image_in_a_message_never_reaches_a_checkpoint(server: Server) -> None:
    url = "data:image/png;base64," + base64.b64encode(_picture("blue")).decode()
    message = {"role": "user", "content": [{"type": "image_url", "image_url": {"url": url}}]}
    thread = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
    answer = httpx.post(
        f"{server.url}/threads/{thread}/runs/wait",
        json={"assistant_id": "anomagent", "input": {"messages": [message]}},
        timeout=60,
    )
    assert answer.json()["anomalies"] == []
    history = httpx.get(f"{server.url}/threads/{thread}/history").text
    assert answer.json()["image"]["sha256"] in history
    assert "base64" not in history


def test_a_report_is_reviewed_in_place(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "yellow.png"
    image.write_bytes(_picture("yellow"))
    thread = httpx.post(f"{server.url}/threads", json={}).json()["thread_id"]
    runs = f"{server.url}/threads/{thread}/runs/wait"
    request = {"assistant_id": "anomagent", "context": {"schedule": "direct", "review": True}}
    waiting = httpx.post(runs, json={**request, "input": {"image_path": str(image)}}, timeout=60).json()
    (asked,) = waiting["__interrupt__"]
    assert [anomaly["name"] for anomaly in asked["value"]["anomalies"]] == ["Hovering cup"]
    given = {"annotator": "ann", "verdicts": [{"verdict": "REJECT", "reason": "not_visible"}]}
    state = httpx.post(runs, json={**request, "command": {"resume": given}}, timeout=60).json()
    assert state["review"]["verdicts"] == [{"verdict": "REJECT", "reason": "not_visible", "note": None}]


def test_what_is_wrong_is_said_in_the_state(server: Server, tmp_path: Path) -> None:
    image = tmp_path / "green.png"
    image.write_bytes(_picture("green"))
    wrong = [
        ({"image_path": str(tmp_path / "none.png")}, {}, "no such file"),
        ({}, {}, "no image"),
        ({"image": {"sha256": "0", "path": str(image), "width": 1, "height": 1}}, {}, "not taken from outside"),
        ({"image_path": str(image)}, {"base_url": "http://127.0.0.1:9/v1"}, "not taken from a request"),
        ({"image_path": str(image)}, {"object_perceiver": "nobody:knows"}, "nobody"),
    ]
    for given, context, message in wrong:
        state = server.wait(input=given, context=context)
        assert message in state["failures"][0]["message"], state
        assert "anomalies" not in state


def test_blocking_calls_do_not_stop_the_server(server: Server) -> None:
    log = server.log.read_text()
    assert "Blocking call" not in log
    assert "Traceback" not in log
