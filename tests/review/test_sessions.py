from __future__ import annotations

import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from anomagent.errors import StoreError
from anomagent.review.sessions import (
    LIFETIME,
    WINDOW,
    WRONG_TOKENS,
    Attempts,
    EndedSessions,
    Sessions,
    read_key,
)

KEY = bytes(range(32))


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@given(name=st.text(max_size=80))
def test_a_session_is_read_back_by_whoever_has_the_key(name: str) -> None:
    assume(name.encode("utf-8", "ignore").decode() == name)
    session, cookie = Sessions(KEY).issue(name)

    assert Sessions(KEY).read(cookie) == session
    assert session.annotator == name
    assert Sessions(KEY[::-1]).read(cookie) is None
    assert Sessions(KEY, "a token of some length").read(cookie) is None


@given(place=st.integers(min_value=0), letter=st.characters(max_codepoint=0x2FF))
def test_a_cookie_that_was_changed_is_none(place: int, letter: str) -> None:
    sessions = Sessions(KEY)
    _, cookie = sessions.issue("Ann")
    place %= len(cookie)
    changed = cookie[:place] + letter + cookie[place + 1 :]
    assume(changed != cookie)

    assert sessions.read(changed) is None


@pytest.mark.parametrize("cookie", [None, "", ".", "a.b", "...", "\ud800.x", "x" * 5000])
def test_nonsense_is_no_session(cookie: str | None) -> None:
    assert Sessions(KEY).read(cookie) is None


def test_sessions_end() -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock=clock)
    (first, cookie), (_, other) = sessions.issue("Ann"), sessions.issue("Ann")
    sessions.end(first)

    assert sessions.read(cookie) is None
    assert sessions.read(other) is not None
    clock.now += LIFETIME + 1
    assert sessions.read(other) is None


def test_signing_out_outlives_the_server(tmp_path: Path) -> None:
    clock = Clock()
    sessions = Sessions(KEY, clock=clock, ended=EndedSessions(tmp_path, clock))
    (first, cookie), (_, other) = sessions.issue("Ann"), sessions.issue("Ann")
    sessions.end(first)

    again = Sessions(KEY, clock=clock, ended=EndedSessions(tmp_path, clock))
    assert again.read(cookie) is None
    assert again.read(other) is not None
    file = tmp_path / "review.ended"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    clock.now += LIFETIME + 1
    again.end(again.issue("Ann")[0])
    assert len(file.read_text().splitlines()) == 1  # the first one has expired anyway
    assert [path.name for path in tmp_path.iterdir()] == ["review.ended"]


@pytest.mark.parametrize("content", [b"one\n", b"a b c\n", b"a x\n", b"\xff"])
def test_a_damaged_file_of_ended_sessions_is_one_line(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "review.ended").write_bytes(content)
    with pytest.raises(StoreError, match=r"review\.ended: cannot be read or written \(it is damaged\)"):
        EndedSessions(tmp_path)


def test_two_first_starts_at_once_agree_on_the_key(tmp_path: Path) -> None:
    meeting = Barrier(8)

    def start(_: int) -> bytes:
        meeting.wait()
        return read_key(tmp_path)

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(start, range(8)))) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["review.key"]


def test_csrf_tokens_differ_by_session_and_are_not_in_the_cookie() -> None:
    sessions = Sessions(KEY)
    (ann, cookie), (bob, _) = sessions.issue("Ann"), sessions.issue("Bob")

    assert sessions.is_csrf_token(ann, sessions.csrf_token(ann))
    assert not sessions.is_csrf_token(ann, sessions.csrf_token(bob))
    assert not sessions.is_csrf_token(ann, None)
    assert sessions.csrf_token(ann) not in cookie


def test_attempts_are_limited_by_address_and_forgiven_in_time() -> None:
    clock = Clock()
    attempts = Attempts(clock)
    for _ in range(WRONG_TOKENS):
        assert attempts.wait("10.0.0.1") == 0
        attempts.failed("10.0.0.1")

    assert attempts.wait("10.0.0.1") == WINDOW
    assert attempts.wait("10.0.0.2") == 0
    clock.now += WINDOW
    assert attempts.wait("10.0.0.1") == 0


def test_the_key_is_kept_and_private(tmp_path: Path) -> None:
    key = read_key(tmp_path)

    assert (len(key), read_key(tmp_path)) == (32, key)
    assert [path.name for path in tmp_path.iterdir()] == ["review.key"]
    assert stat.S_IMODE((tmp_path / "review.key").stat().st_mode) == 0o600


@pytest.mark.parametrize("damage", ["open", "short", "link"])
def test_a_key_that_others_could_know_is_replaced(damage: str, tmp_path: Path) -> None:
    folder = tmp_path / "workspace"
    folder.mkdir()
    key, path = read_key(folder), folder / "review.key"
    if damage == "open":
        path.chmod(0o644)
    elif damage == "short":
        path.write_bytes(b"x")
    else:
        (tmp_path / "elsewhere").write_bytes(path.read_bytes())
        path.unlink()
        path.symlink_to(tmp_path / "elsewhere")

    new = read_key(folder)

    assert new != key
    assert len(new) == 32
    assert not path.is_symlink()


def test_a_key_that_cannot_be_written_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "review.key").mkdir()

    with pytest.raises(StoreError, match=r"review\.key: cannot be read or written"):
        read_key(tmp_path)
