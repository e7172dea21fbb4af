"""A server on a socket that is already listening, until somebody ends it."""

import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final

from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp

_LAST_SECONDS: Final = 2
"""For replies that are under way at the end. What was answered by then is stored; the page sends the rest again."""
_KEEP_ALIVE: Final = 75
"""Seconds that a connection may idle: a person looks at a candidate for about as long."""
_MOST_CONNECTIONS: Final = 500
"""Each request under way has a thread; a browser has some six connections."""
_EVERYWHERE: Final = ("0.0.0.0", "::")


def listen(host: str, port: int) -> socket.socket:
    """A socket that accepts connections; with port 0, on one that is free.

    Raises `ConfigurationError` where the port is in use or the address is not ours.
    """
    try:
        family, *_, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0]
        listener = socket.socket(family)
    except (OSError, UnicodeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise ConfigurationError(f"cannot listen on {host} ({reason}); choose another --host") from None
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(socket.SOMAXCONN)
    except OSError as error:
        listener.close()
        raise ConfigurationError(f"cannot listen on {host}:{port} ({error.strerror}); choose another --port") from None
    return listener


def url_of(host: str, listener: socket.socket) -> str:
    """Where a browser finds the server; one that listens on all addresses goes by this machine's name."""
    port = listener.getsockname()[1]
    shown = socket.gethostname() if host in _EVERYWHERE else host
    return f"http://[{shown}]:{port}" if ":" in shown else f"http://{shown}:{port}"


def make_server(app: "ASGIApp") -> "uvicorn.Server":
    """A server that logs no requests, and believes no headers of proxies: anybody could send them."""
    import uvicorn

    config = uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        limit_concurrency=_MOST_CONNECTIONS,
        timeout_keep_alive=_KEEP_ALIVE,
        timeout_graceful_shutdown=_LAST_SECONDS,
    )
    return uvicorn.Server(config)


def serve(app: "ASGIApp", listener: socket.socket) -> None:
    """Answer requests until SIGINT or SIGTERM. Blocks, and closes the socket."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    # uvicorn shuts down in order, and then passes on the signal that made it.
    with listener, suppress(KeyboardInterrupt):
        make_server(app).run(sockets=[listener])
