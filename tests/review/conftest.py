from __future__ import annotations

import io
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from shutil import copytree
from typing import Any
from uuid import uuid4

import httpx
import pytest
from PIL import Image
from starlette.testclient import TestClient

from anomagent.review.app import create_app
from anomagent.review.desk import Desk
from anomagent.review.queue import Queue
from anomagent.review.routing import Rules
from anomagent.review.serving import listen, make_server, url_of
from anomagent.store import Workspace, ingest_image, save_analysis, start_run
from tests.review.reviewing import fill_twelve
from tests.store.helpers import result

ORIGIN = "http://127.0.0.1:8765"
HOSTILE = "<script>alert('x')</script>\u202e\x1b[31m"
"""What a model may write; the last signs turn the reading direction and colour a terminal."""


class Browser:
    """A browser as far as a server can tell: it keeps cookies and reads the token off the page."""

    def __init__(self, client: Any, origin: str = ORIGIN) -> None:
        self.client = client
        self.headers = {"Origin": origin}

    def open(self) -> str:
        """The page at the server's address."""
        page = self.client.get("/").text
        (self.headers["X-CSRF-Token"],) = re.findall(r'<meta name="csrf-token" content="([^"]+)">', page)
        return page

    def sign_in(self, name: str, token: str | None = None) -> Any:
        self.open()
        reply = self.send("POST", "/session", {"name": name, "token": token})
        if reply.status_code == 204:
            self.open()
        return reply

    def get(self, path: str, **headers: str) -> Any:
        return self.client.get(path, headers=headers)

    def send(self, method: str, path: str, body: Any = None, **headers: str) -> Any:
        return self.client.request(method, path, json=body, headers=self.headers | headers)

    def post(self, path: str, **body: Any) -> Any:
        return self.send("POST", path, body)

    def answer(self, item: int, verdict: str = "ACCEPT", **more: Any) -> Any:
        return self.post("/api/answers", **{"id": str(uuid4()), "item": item, "verdict": verdict, **more})

    def undo(self, item: int, **more: Any) -> Any:
        return self.post("/api/undo", **{"id": str(uuid4()), "item": item, **more})


def picture(colour: str = "red", format: str = "PNG", size: tuple[int, int] = (64, 48), **options: Any) -> bytes:
    buffer = io.BytesIO()
    Image.new(options.pop("mode", "RGB"), size, colour).save(buffer, format, **options)
    return buffer.getvalue()


def fill(workspace: Workspace, images: int = 2) -> None:
    """Images of three candidates each; one text of each image is hostile."""
    run = start_run(workspace, "run", {}, "hash")
    for number in range(images):
        ref = ingest_image(workspace, picture(f"#{number:02x}8040"), f"folder/{number}.png")
        anomalies = [
            {
                "name": f"Floating chair {number}.{position}",
                "phenomenon": HOSTILE if position == 1 else "A chair floats.",
                "reasoning": "Gravity.",
                "severity": 10 * position,
                "objects": ["chair"],
                "support": 2,
            }
            for position in range(3)
        ]
        save_analysis(workspace, run, result(ref["sha256"], f"folder/{number}.png", status="ok", anomalies=anomalies))


@pytest.fixture(scope="session")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A workspace to be copied: making one takes a hundred times as long."""
    workspace = Workspace.open(tmp_path_factory.mktemp("filled"))
    fill(workspace)
    return workspace.path


@pytest.fixture
def workspace(filled: Path, tmp_path: Path) -> Workspace:
    return Workspace.open(copytree(filled, tmp_path / "workspace"))


@pytest.fixture
def desk(workspace: Workspace) -> Desk:
    return Desk(workspace, Queue.load(workspace, None, Rules(adjudicators=("Ada",))))


@pytest.fixture
def clients(desk: Desk) -> Any:
    """Makes browsers of one server, each with its own cookies."""
    app = create_app(desk, "127.0.0.1")
    return lambda: Browser(TestClient(app, base_url=ORIGIN, raise_server_exceptions=False))


@pytest.fixture
def ann(clients: Any) -> Browser:
    """Somebody who has signed in."""
    browser = clients()
    browser.sign_in("Ann")
    return browser


@pytest.fixture
def server(desk: Desk) -> Iterator[str]:
    """The address of a real server with the same desk."""
    listener = listen("127.0.0.1", 0)
    uvicorn = make_server(create_app(desk, "127.0.0.1"))
    thread = threading.Thread(target=uvicorn.run, kwargs={"sockets": [listener]})
    thread.start()
    yield url_of("127.0.0.1", listener)
    uvicorn.should_exit = True
    thread.join()


@pytest.fixture
def visitors(server: str) -> Iterator[Any]:
    """Makes browsers of the real server."""
    opened: list[httpx.Client] = []

    def visit() -> Browser:
        opened.append(httpx.Client(base_url=server, timeout=30))
        return Browser(opened[-1], server)

    yield visit
    for client in opened:
        client.close()


@pytest.fixture(scope="session")
def twelve_made(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    workspace = Workspace.open(tmp_path_factory.mktemp("twelve"))
    fill_twelve(workspace)
    return workspace


@pytest.fixture
def twelve(twelve_made: Workspace) -> Iterator[Workspace]:
    """The same workspace of twelve candidates for all tests, each time without answers."""
    yield twelve_made
    with twelve_made.writing() as connection:
        connection.execute("DELETE FROM reviews")
