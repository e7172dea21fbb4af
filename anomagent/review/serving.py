"""A server on a socket that is already listening, until somebody ends it."""

import asyncio
import signal
import socket
from contextlib import suppress
from typing import TYPE_CHECKING, Final, cast

from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    import uvicorn
    from starlette.types import ASGIApp
    from uvicorn.protocols.http.h11_impl import RequestResponseCycle

_LAST_SECONDS: Final = 2
"""For replies that are under way at the end. What was answered by then is stored; the page sends the rest again."""
_SILENCE: Final = 10.0
"""Seconds until a connection on which no whole request has come is closed."""
_KEEP_ALIVE: Final = 75
"""Seconds that a connection may idle: a person looks at a candidate for about as long."""
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


def _connection_class(silence: float) -> "type[asyncio.Protocol]":
    """uvicorn's HTTP connection, but one that is closed where no request comes, or none comes to its end, in time."""
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Connection(H11Protocol):
        _patience: asyncio.TimerHandle | None = None

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            self._wait_for_a_request()

        def data_received(self, data: bytes) -> None:
            super().data_received(data)
            self._wait_for_a_request()

        def connection_lost(self, exc: Exception | None) -> None:
            self._stop_waiting()
            super().connection_lost(exc)

        def _wait_for_a_request(self) -> None:
            """From the first moment on: whoever sends a letter now and then gains nothing by it."""
            if self._is_busy():
                self._stop_waiting()
            elif self._patience is None:
                self._patience = self.loop.call_later(silence, self._hang_up)

        def _stop_waiting(self) -> None:
            if self._patience is not None:
                self._patience.cancel()
                self._patience = None

        def _is_busy(self) -> bool:
            cycle = cast("RequestResponseCycle | None", self.cycle)  # none before the first request
            return cycle is not None and not cycle.response_complete

        def _hang_up(self) -> None:
            self._patience = None
            if not self._is_busy():
                self.transport.close()

    return Connection


def make_server(app: "ASGIApp", silence: float = _SILENCE) -> "uvicorn.Server":
    """A server that logs no requests, and believes no headers of proxies: anybody could send them.

    `silence`: seconds until a connection without a whole request is closed.
    """
    import uvicorn

    config = uvicorn.Config(
        app,
        http=_connection_class(silence),
        ws="none",
        lifespan="off",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
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
