from __future__ import annotations

import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from anomagent.cli import review
from anomagent.store import Workspace
from anomagent.store.database import connect
from anomagent.store.reviews import read_answers
from anomagent.store.steps import read_steps
from tests.cli.conftest import Cli
from tests.review.conftest import Browser, fill

TOKEN = "correct-horse-battery"
ANSWER = {"id": "answer-one", "item": 1, "verdict": "ACCEPT"}


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace.open(tmp_path / "workspace")
    fill(workspace)
    return workspace


class Server:
    """`anomagent review` in a process of its own."""

    def __init__(self, workspace: Workspace, *arguments: str) -> None:
        command = [sys.executable, "-m", "anomagent", "review", "--workspace", str(workspace.path), *arguments]
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        self.said = ""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said += line
            if found := re.search(r"http://\S+", line):
                self.url = found[0]
                return
        raise AssertionError(self.said)

    def end(self, by: signal.Signals, patience: float = 30) -> int:
        self.process.send_signal(by)
        _, errors = self.process.communicate(timeout=patience)
        self.said += errors
        return self.process.returncode


@pytest.fixture
def serve(workspace: Workspace) -> Iterator[Any]:
    """Starts servers on free ports, and sees to it that none outlives the test."""
    started: list[Server] = []

    def start(*arguments: str) -> Server:
        started.append(Server(workspace, *(arguments or ("--port", "0"))))
        return started[-1]

    yield start
    for server in started:
        server.process.kill()
        server.process.communicate()


def test_help_has_an_example(cli: Cli) -> None:
    outcome = cli("review", "--help")

    assert (outcome.code, outcome.err) == (0, "")
    assert "Example: anomagent review" in outcome.out


@pytest.mark.parametrize("token", [None, "too-short"])
@pytest.mark.parametrize("host", ["0.0.0.0", "192.168.1.5", "::", "example.org"])
def test_other_machines_need_a_token(host: str, token: str | None, cli: Cli, workspace: Workspace) -> None:
    outcome = cli("review", "--host", host, *(["--token", token] if token else []))

    assert outcome.code == 2
    assert "token" in outcome.err
    assert outcome.err.count("\n") == 1
    assert "too-short" not in outcome.err


def test_a_missing_extra_is_named(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(review, "find_spec", lambda name: None)
    outcome = cli("review")

    assert (outcome.code, outcome.err) == (2, "anomagent: the review needs an extra: pip install 'anomagent[review]'\n")


def test_a_port_in_use_is_one_line(cli: Cli, workspace: Workspace) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        outcome = cli("review", "--workspace", workspace.path, "--port", port)

    assert outcome.code == 2
    assert outcome.err.startswith(f"anomagent: cannot listen on 127.0.0.1:{port} (")
    assert outcome.err.count("\n") == 1


def test_an_address_of_another_machine_is_one_line(cli: Cli, workspace: Workspace) -> None:
    outcome = cli("review", "-w", workspace.path, "--host", "192.0.2.1", "--port", 0, "--token", TOKEN)

    assert outcome.code == 2
    assert outcome.err.startswith("anomagent: cannot listen on 192.0.2.1")
    assert outcome.err.count("\n") == 1


def test_no_candidates_is_one_line(cli: Cli, tmp_path: Path) -> None:
    Workspace.open(tmp_path / "empty")
    for arguments in (["--workspace", tmp_path / "empty"], ["--workspace", tmp_path / "nowhere"]):
        outcome = cli("review", *arguments, "--port", 0)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1


def test_an_unknown_run_and_a_name_that_cannot_be_shown_are_one_line(cli: Cli, workspace: Workspace) -> None:
    for arguments in (["--run", "never"], ["--adjudicator", " "], ["--overlap", "1.5"]):
        outcome = cli("review", "--workspace", workspace.path, "--port", 0, *arguments)
        assert outcome.code == 2
        assert outcome.err.count("\n") == 1


def test_the_token_may_stand_in_the_environment(
    cli: Cli, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[Any] = []
    monkeypatch.setenv("ANOMAGENT_REVIEW_TOKEN", TOKEN)
    monkeypatch.setattr("anomagent.review.app.create_app", lambda *arguments: served.append(arguments))
    monkeypatch.setattr("anomagent.review.serving.serve", lambda app, listener: None)

    outcome = cli("review", "--workspace", workspace.path, "--port", 0, "--host", "0.0.0.0")

    assert outcome.code == 0
    assert served[0][1:] == ("0.0.0.0", TOKEN)
    assert "plain HTTP" in outcome.err
    assert TOKEN not in outcome.out + outcome.err


def test_images_without_a_file_are_told_of(cli: Cli, workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("anomagent.review.serving.serve", lambda app, listener: None)
    next(workspace.images.rglob("*.png")).unlink()

    outcome = cli("review", "--workspace", workspace.path, "--port", 0)

    assert outcome.code == 0
    assert outcome.err.startswith("anomagent: 1 images are left out")
    assert "3 candidates, 3 of them open" in outcome.err


def test_ctrl_c_ends_at_once_and_counts(serve: Any) -> None:
    server = serve()
    with httpx.Client(base_url=server.url) as client:
        ann = Browser(client, server.url)
        ann.sign_in("Ann")
        for item in (1, 2, 2):
            assert ann.answer(item).status_code == 200
        code = server.end(signal.SIGINT)

    assert code == 0
    assert "6 candidates, 6 of them open" in server.said
    assert server.said.splitlines()[-1] == "ended; answers stored in this session: 3"
    assert "Traceback" not in server.said


def test_the_end_does_not_wait_for_a_locked_database(serve: Any, workspace: Workspace) -> None:
    server = serve()
    with httpx.Client(base_url=server.url) as client, closing(connect(workspace.database_path)) as locked:
        ann = Browser(client, server.url)
        ann.sign_in("Ann")
        locked.execute("BEGIN IMMEDIATE")
        with pytest.raises(httpx.ReadTimeout):
            client.post("/api/answers", json=ANSWER, headers=ann.headers, timeout=0.2)
        # The database would be waited for half a minute.
        assert server.end(signal.SIGTERM, patience=20) == 0

    assert server.said.splitlines()[-1] == "ended; answers stored in this session: 0"
    assert "Traceback" not in server.said
    assert read_answers(workspace) == []


def test_a_server_killed_in_the_middle_loses_and_doubles_nothing(serve: Any, workspace: Workspace) -> None:
    first, enough = serve(), threading.Event()
    sent: list[str] = []
    confirmed: list[str] = []

    def work(name: str) -> dict[str, str]:
        """Answer until the server is gone, and return the cookies."""
        with httpx.Client(base_url=first.url) as client:
            person = Browser(client, first.url)
            person.sign_in(name)
            try:
                while True:
                    sent.append(id := f"{name}-{uuid4()}")
                    if person.answer(1, id=id).status_code == 200:
                        confirmed.append(id)
                    if len(confirmed) > 20:
                        enough.set()
            except httpx.TransportError:
                return dict(client.cookies)

    with ThreadPoolExecutor(2) as pool:
        working = [pool.submit(work, name) for name in ("Ann", "Bob")]
        assert enough.wait(60)
        first.process.kill()
        cookies = [person.result() for person in working]
    kept = [answer.id for _, answer in read_answers(workspace)]
    assert set(confirmed) <= set(kept) <= set(sent)
    assert len(kept) <= len(confirmed) + 2

    second = serve()
    with httpx.Client(base_url=second.url, cookies=cookies[0]) as client:
        ann = Browser(client, second.url)
        assert 'data-annotator="Ann"' in ann.open()
        hers = [id for id in sent if id.startswith("Ann")]
        stored = [id for id in hers if ann.answer(1, id=id).json()["stored"]]
    assert stored == [id for id in hers if id not in kept]
    assert sorted(answer.id for _, answer in read_answers(workspace)) == sorted({*kept, *hers})


def test_a_second_server_is_refused_until_the_first_is_gone(serve: Any, cli: Cli, workspace: Workspace) -> None:
    first = serve()
    outcome = cli("review", "--workspace", workspace.path, "--port", 0)

    assert outcome.code == 2
    assert outcome.err == (
        f"anomagent: workspace {workspace.path}: is being reviewed at {first.url}: open that page, "
        "or end that server first\n"
    )
    first.process.kill()
    first.process.wait()
    assert serve().url


def test_other_rules_than_last_time_are_told_of(
    cli: Cli, workspace: Workspace, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("anomagent.review.serving.serve", lambda app, listener: None)
    review = ("review", "--workspace", workspace.path, "--port", 0)
    said = [cli(*review, *more).err for more in ([], ["--people", 3], ["--overlap", 0.5, "--adjudicator", "Ada"], [])]

    # Without an overlap it does not matter how many people share it.
    assert ["rules" in err for err in said] == [False, False, True, True]
    assert "other rules: overlap 0.0, people 1, adjudicators none\n" in said[2]
    assert "other rules: overlap 0.5, people 2, adjudicators Ada\n" in said[3]
    assert [step["settings"]["overlap"] for step in read_steps(workspace)] == [0.0, 0.0, 0.5, 0.0]
