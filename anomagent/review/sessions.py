"""Who is asking: a signed cookie, which outlives the server, and what is derived from it."""

import base64
import hmac
import json
import os
import secrets
import time
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final

from anomagent.errors import StoreError

LIFETIME: Final = 14 * 24 * 3600
"""Seconds that a session lasts, from signing in."""
KEY_FILE: Final = "review.key"
"""In the workspace: what cookies are signed with, readable by its owner alone."""
ENDED_FILE: Final = "review.ended"
"""In the workspace: which sessions were ended."""
WRONG_TOKENS: Final = 10
"""So many wrong tokens of one address are looked at ..."""
WINDOW: Final = 600.0
"""... in so many seconds."""

_KEY_BYTES = 32
_MOST_ADDRESSES = 10_000


@dataclass(frozen=True)
class Session:
    """One browser. Without an annotator it has not signed in: it has a session only to be protected from forgery."""

    id: str
    """256 random bits."""
    annotator: str
    issued: int
    """Unix time."""


class EndedSessions:
    """Sessions that were ended by signing out, kept in the workspace until they would have expired."""

    def __init__(self, folder: Path | None = None, clock: Callable[[], float] = time.time) -> None:
        """Without a folder they are known until the process ends. Raises `StoreError` where the file cannot be read."""
        self._path, self._clock = folder and folder / ENDED_FILE, clock
        self._issued = self._read()

    def __contains__(self, session: Session) -> bool:
        """Whether this session was ended."""
        return session.id in self._issued

    def add(self, session: Session) -> None:
        """Note that a session has ended, which it has even where that cannot be written: then raises `StoreError`."""
        oldest = self._clock() - LIFETIME
        self._issued = {id: issued for id, issued in self._issued.items() if issued >= oldest}
        self._issued[session.id] = session.issued
        if self._path is not None:
            lines = "".join(f"{id} {issued}\n" for id, issued in self._issued.items())
            with _one_line(self._path):
                _write_beside(self._path, lines.encode()).replace(self._path)

    def _read(self) -> dict[str, int]:
        if self._path is None or not self._path.exists():
            return {}
        with _one_line(self._path):
            pairs = (line.split() for line in self._path.read_text().splitlines())
            return {id: int(issued) for id, issued in pairs}


class Sessions:
    """Sessions live in signed cookies, so a server that was started anew still knows everybody."""

    def __init__(
        self,
        key: bytes,
        token: str | None = None,
        clock: Callable[[], float] = time.time,
        ended: EndedSessions | None = None,
    ) -> None:
        """`token` goes into the signature: whoever signed in with another one, or with none, has to do so again."""
        self._key = hmac.digest(key, b"token:" + (token or "").encode("utf-8", "surrogatepass"), "sha256")
        self._clock, self._ended = clock, ended or EndedSessions(clock=clock)
        mark = sha256(b"name:" + key).hexdigest()[:8]
        self.cookie = f"anomagent_review_{mark}"
        """The cookie's name. Cookies do not know ports: servers of two workspaces must not take each other's away."""
        self.form_cookie = f"anomagent_review_form_{mark}"
        """The name of the cookie of who has not signed in."""

    def issue(self, annotator: str = "") -> tuple[Session, str]:
        """A new session and the cookie's value for it."""
        session = Session(secrets.token_urlsafe(_KEY_BYTES), annotator, int(self._clock()))
        content = _text(json.dumps([session.id, session.annotator, session.issued]).encode())
        return session, f"{content}.{self._sign('cookie', content)}"

    def read(self, cookie: str | None) -> Session | None:
        """The session of a cookie; None where it is not signed by us, has expired or was ended."""
        content, _, signature = (cookie or "").partition(".")
        if not _equal(signature, self._sign("cookie", content)):
            return None
        session = Session(*json.loads(base64.urlsafe_b64decode(content)))
        gone = session in self._ended or session.issued + LIFETIME < self._clock()
        return None if gone else session

    def end(self, session: Session) -> None:
        """Make a session's cookie worthless, also after a restart. Raises `StoreError`."""
        self._ended.add(session)

    def csrf_token(self, session: Session) -> str:
        """What a page of this session has to send along with whatever changes something."""
        return self._sign("csrf", session.id)

    def is_csrf_token(self, session: Session, given: str | None) -> bool:
        """Whether `given` is this session's."""
        return _equal(given or "", self.csrf_token(session))

    def _sign(self, purpose: str, text: str) -> str:
        return _text(hmac.digest(self._key, f"{purpose}:{text}".encode("utf-8", "surrogatepass"), "sha256"))


class Attempts:
    """Wrong tokens by address, so that nobody can try many."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failed: dict[str, list[float]] = {}

    def wait(self, address: str) -> int:
        """Seconds until this address may try again; 0: now."""
        times = self._recent(address)
        return 0 if len(times) < WRONG_TOKENS else max(1, round(times[0] + WINDOW - self._clock()))

    def failed(self, address: str) -> None:
        """Note a wrong token."""
        self._failed[address] = [*self._recent(address), self._clock()]
        if len(self._failed) > _MOST_ADDRESSES:
            self._failed.pop(next(iter(self._failed)))

    def _recent(self, address: str) -> list[float]:
        since = self._clock() - WINDOW
        return [moment for moment in self._failed.get(address, []) if moment > since]


def read_key(folder: Path) -> bytes:
    """The workspace's key, made where there is none, and made anew where others could have read or changed it.

    Raises `StoreError` where it cannot be read or written.
    """
    path = folder / KEY_FILE
    with _one_line(path):
        if not _is_private(path):
            _write_key(path)
        return path.read_bytes()


@contextmanager
def _one_line(path: Path) -> Generator[None]:
    try:
        yield
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is damaged"
        raise StoreError(f"{path}: cannot be read or written ({reason}); fix its permissions or delete it") from error


def _is_private(path: Path) -> bool:
    try:
        about = path.lstat()
    except FileNotFoundError:
        return False
    return about.st_size == _KEY_BYTES and not about.st_mode & 0o077


def _write_key(path: Path) -> None:
    """Of two who find none, the first one's is taken by both; one that others could know is replaced."""
    unfinished = _write_beside(path, secrets.token_bytes(_KEY_BYTES))
    try:
        os.link(unfinished, path)
    except FileExistsError:
        if not _is_private(path):
            unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def _write_beside(path: Path, content: bytes) -> Path:
    """A private file with this content, to be moved to its place: whoever reads there finds all of it or nothing."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
    except OSError:
        unfinished.unlink()
        raise
    return unfinished


def _equal(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode("utf-8", "surrogatepass"), other.encode())


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode()
