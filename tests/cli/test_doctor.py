import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread

import pytest

from anomagent.cli.checks import check_checkpoints, check_server, check_space, check_workspace
from anomagent.config import Settings
from tests.cli.conftest import Cli


class _Server(BaseHTTPRequestHandler):
    """Wants the key "right" under /v1, and knows nothing else."""

    def do_GET(self) -> None:  # the name is http.server's
        known = self.path == "/v1/models"
        status = 404 if not known else 200 if self.headers.get("Authorization") == "Bearer right" else 401
        self.send_response(status)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    http = HTTPServer(("127.0.0.1", 0), _Server)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.mark.parametrize(
    ("path", "key", "status", "detail"),
    [
        ("/v1", "right", "ok", "answers"),
        ("/v1/", "right", "ok", "answers"),
        ("/v1", "wrong", "fail", "refuses the key (401)"),
        ("/v1", None, "fail", "refuses the key (401)"),
        ("", "right", "warn", "answers 404"),
    ],
)
def test_server_is_asked_for_its_models(path: str, key: str | None, status: str, detail: str, server: str) -> None:
    check = check_server(server + path, key)

    assert check.status == status
    assert detail in check.detail


@pytest.mark.parametrize(
    "url", ["http://127.0.0.1:1/v1", "localhost:8000", "file:///etc/passwd", "http://user:pw@[/v1"]
)
def test_server_that_cannot_be_reached_fails_with_what_to_do(url: str) -> None:
    check = check_server(url)

    assert check.status == "fail"
    assert check.fix
    assert "pw" not in check.detail


def test_workspace_is_tried_and_never_made(tmp_path: Path) -> None:
    assert check_workspace(tmp_path / "new" / "workspace").status == "ok"
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "file").write_text("")
    assert check_workspace(tmp_path / "file").status == "fail"
    assert check_workspace(tmp_path / "file" / "below").status == "fail"


def test_space_is_measured_where_the_workspace_will_be(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "GB free" in check_space(tmp_path / "new").detail
    monkeypatch.setattr("anomagent.cli.checks.TOO_LITTLE_SPACE", 10**18)
    assert check_space(tmp_path / "new").status == "fail"


def test_password_of_the_checkpoints_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://me:secret@db.example/x"

    def refuse(path: Path, url: str) -> None:
        raise OSError(f"cannot connect to {url}")

    monkeypatch.setattr("anomagent.graph.checkpoints.open_checkpointer", refuse)
    check = check_checkpoints(Settings(checkpoints=url))

    assert (check.status, check.detail) == ("fail", "Postgres at db.example: OSError")
    assert "secret" not in check.fix


def _script(folder: Path, **rule: object) -> str:
    (folder / "script.json").write_text(json.dumps({"rules": [rule] if rule else []}))
    return "fake:script.json"


def test_what_works_is_ok_line_by_line(cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-do-not-show")
    outcome = cli("doctor", "--model", _script(tmp_path), "--json")

    checks = [json.loads(line) for line in outcome.out.splitlines()]
    assert (outcome.code, outcome.err) == (0, "")
    assert [check["name"] for check in checks] == [
        "python", "anomagent", "extras", "keys", "model fake:script.json", "workspace", "disk", "checkpoints"
    ]  # fmt: skip
    assert {check["status"] for check in checks} <= {"ok", "warn"}
    assert checks[3]["detail"].startswith("set: OPENAI_API_KEY (of ")
    assert "sk-do-not-show" not in outcome.out
    assert not (tmp_path / "anomagent-workspace").exists()


def test_missing_key_fails_with_its_name(cli: Cli) -> None:
    outcome = cli("doctor", "--model", "openai:gpt-4o")

    assert outcome.code == 2
    assert "fail model openai:gpt-4o: " in outcome.out
    assert "OPENAI_API_KEY" in outcome.out


def test_each_model_is_checked_once_with_its_roles(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("doctor", "--model", _script(tmp_path), "--role", "AnomalyFormatter=anthropic:none")

    assert outcome.code == 2
    assert "ok   model fake:script.json: can be used, for ObjectPerceiver, AttributeAnalyzer" in outcome.out
    assert outcome.out.count("fail ") == 1


def test_load_asks_the_model(cli: Cli, tmp_path: Path) -> None:
    assert "answers (" in cli("doctor", "--model", _script(tmp_path), "--load").out
    failing = _script(tmp_path, says=[{"error": "unavailable", "text": "the server is asleep"}])
    outcome = cli("doctor", "--model", failing, "--load")

    assert outcome.code == 2
    assert "the server is asleep" in outcome.out


def test_bad_settings_are_a_failed_check(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "anomagent.toml").write_text("modle = 'x'\n")
    outcome = cli("doctor")

    assert outcome.code == 2
    assert "fail settings: unknown setting 'modle'" in outcome.out
