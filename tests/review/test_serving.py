"""Connections on which nothing happens."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator

import pytest

from anomagent.review.app import create_app
from anomagent.review.desk import Desk
from anomagent.review.serving import listen, make_server


@pytest.fixture
def impatient(desk: Desk) -> Iterator[tuple[str, int]]:
    """The address of a server that waits a twentieth of a second for a request."""
    listener = listen("127.0.0.1", 0)
    uvicorn = make_server(create_app(desk, "127.0.0.1"), silence=0.05)
    thread = threading.Thread(target=uvicorn.run, kwargs={"sockets": [listener]})
    thread.start()
    yield listener.getsockname()
    uvicorn.should_exit = True
    thread.join()


REQUEST = b"GET /api/progress HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost:"])
def test_without_a_whole_request_a_connection_is_closed(sent: bytes, impatient: tuple[str, int]) -> None:
    with socket.create_connection(impatient, timeout=30) as connection:
        connection.sendall(sent)
        assert connection.recv(1) == b""


def test_a_request_is_answered_and_the_beginning_of_a_next_one_is_not_waited_for(impatient: tuple[str, int]) -> None:
    with socket.create_connection(impatient, timeout=30) as connection:
        connection.sendall(REQUEST)
        assert connection.recv(12) == b"HTTP/1.1 401"
        connection.sendall(b"GET /")
        while connection.recv(4096):
            pass


def test_connections_are_not_counted(desk: Desk) -> None:
    """Those that idle would otherwise keep everybody else out."""
    assert make_server(create_app(desk, "127.0.0.1")).config.limit_concurrency is None
