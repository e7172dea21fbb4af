"""What every request passes first: a known host, the same origin, and headers that let a page load nothing foreign."""

import hmac
import re
import socket
from asyncio import CancelledError
from collections.abc import MutableMapping
from hashlib import sha256
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final

from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SHORTEST_TOKEN: Final = 16
"""Characters: too many to guess. `Attempts` refuses wrong ones, but keeps nobody out who has the right one."""

LONGEST_TOKEN: Final = 500
"""Characters; what the form takes."""

SAFE_METHODS: Final = frozenset({"GET", "HEAD"})
"""They change no answer, so they need no token of the page."""

_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob:; connect-src 'self'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'"
)
HEADERS: Final = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    # With "no-referrer" browsers would send "Origin: null" along with some requests of our own page.
    "referrer-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}
"""On every response; one that has a header already keeps its own."""

_OURS: Final = ("/api/", "/images/")
"""For our own page alone, also where nothing is changed: what is handed out is kept from others for a while."""
_AUTHORITY = re.compile(r"(?:\[(?P<address>[0-9A-Fa-f:.]+)\]|(?P<name>[^:\[\]]+))(?::[0-9]{1,5})?")


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach a server that listens on `host`; a name is not looked up."""
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def check_token(host: str, token: str | None) -> None:
    """Raises `ConfigurationError` for a token of another length, or none where other machines can connect."""
    if token is None and not is_loopback(host):
        raise ConfigurationError(
            f"--host {host}: other machines can reach it, so a token is needed; set ANOMAGENT_REVIEW_TOKEN to at least "
            f"{SHORTEST_TOKEN} characters, or stay on 127.0.0.1 and use an SSH tunnel"
        )
    if token is not None and not SHORTEST_TOKEN <= len(token) <= LONGEST_TOKEN:
        raise ConfigurationError(f"the token has {len(token)} characters; use {SHORTEST_TOKEN} to {LONGEST_TOKEN}")


def same_secret(given: str, secret: str) -> bool:
    """Whether two secrets are equal, in a time that tells nothing about where or how they differ."""
    one, other = (sha256(text.encode("utf-8", "surrogatepass")).digest() for text in (given, secret))
    return hmac.compare_digest(one, other)


class Hosts:
    """The names by which this server may be addressed.

    A foreign page can make its own name point to our address (DNS rebinding), but never carries a bare address or one
    of our names as its own.
    """

    def __init__(self, host: str) -> None:
        """`host`: what the server listens on."""
        self._loopback = is_loopback(host)
        name = socket.gethostname().lower()
        own = set[str]() if self._loopback else {host.lower(), name, f"{name}.local", socket.getfqdn().lower()}
        self._names = own | {"localhost"}

    def know(self, authority: str) -> bool:
        """Whether a Host header, with or without a port, is one of ours."""
        host = _host_of(authority)
        if host in self._names:
            return True
        try:
            return ip_address(host).is_loopback or not self._loopback
        except ValueError:
            return False


class Guard:
    """The outermost layer: refuses foreign hosts and origins, and puts `HEADERS` on whatever comes back."""

    def __init__(self, app: "ASGIApp", hosts: Hosts) -> None:
        self._app = app
        self._hosts = hosts

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """One request."""
        from starlette.responses import JSONResponse

        if scope["type"] != "http":  # no web sockets here
            return

        begun = False

        async def send_guarded(message: "Message") -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                _add_headers(message)
            await send(message)

        problem = self._problem(scope)
        answer = JSONResponse({"error": problem}, 403) if problem else self._app
        try:
            await answer(scope, receive, send_guarded)
        except CancelledError:
            if begun:
                raise
            await JSONResponse({"error": "the server is being ended"}, 503)(scope, receive, send_guarded)

    def _problem(self, scope: "Scope") -> str | None:
        """What is wrong with where a request goes to or comes from."""
        from starlette.datastructures import Headers

        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if not self._hosts.know(host):
            return "this server does not go by that name; open the address that it printed at its start"
        if scope["path"].startswith(_OURS) and headers.get("sec-fetch-site", "none") not in ("same-origin", "none"):
            return "another site's page asks for this"
        if scope["method"] in SAFE_METHODS:
            return None
        if headers.get("origin") not in (f"http://{host}", f"https://{host}"):
            return "the request does not come from this server's own page"
        return None


def _host_of(authority: str) -> str:
    """The host of `host`, `host:port`, `[address]` or `[address]:port`, in lower case; empty where it is none."""
    found = _AUTHORITY.fullmatch(authority)
    return (found["address"] or found["name"]).lower() if found else ""


def _add_headers(message: MutableMapping[str, Any]) -> None:
    there = {name.lower() for name, _ in message["headers"]}
    added = [(name.encode(), value.encode()) for name, value in HEADERS.items() if name.encode() not in there]
    message["headers"] = [*message["headers"], *added]
