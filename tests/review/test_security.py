"""What strangers can do: other sites, other hosts, hostile bodies and paths."""

from __future__ import annotations

from typing import Any

import pytest
from starlette.testclient import TestClient

from anomagent.errors import ConfigurationError
from anomagent.review.app import create_app
from anomagent.review.desk import Desk
from anomagent.review.security import HEADERS, Hosts, check_token, is_loopback
from anomagent.review.sessions import WRONG_TOKENS
from anomagent.store import Workspace
from anomagent.store.reviews import read_answers
from tests.review.conftest import ORIGIN, Browser

TOKEN = "correct-horse-battery"
ANSWER = {"id": "11112222-aaaa", "item": 1, "verdict": "ACCEPT"}


@pytest.fixture
def guarded(desk: Desk) -> Browser:
    """A browser of a server that wants a token."""
    return Browser(TestClient(create_app(desk, "127.0.0.1", TOKEN), base_url=ORIGIN))


@pytest.mark.parametrize("host", ["127.0.0.1", "127.9.9.9", "localhost", "::1"])
def test_loopback_addresses(host: str) -> None:
    assert is_loopback(host)
    check_token(host, None)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", "localhost.example.org", ""])
def test_other_addresses_need_a_token_of_some_length(host: str) -> None:
    for token in (None, "", "x" * 15, "x" * 501):
        with pytest.raises(ConfigurationError, match="token"):
            check_token(host, token)
    check_token(host, "x" * 16)


@pytest.mark.parametrize(
    ("bound", "authority", "known"),
    [
        ("127.0.0.1", "127.0.0.1:8765", True),
        ("127.0.0.1", "localhost", True),
        ("127.0.0.1", "LOCALHOST:1", True),
        ("127.0.0.1", "[::1]:8765", True),
        ("127.0.0.1", "192.168.1.5:8765", False),
        ("127.0.0.1", "evil.example", False),
        ("127.0.0.1", "localhost.evil.example:8765", False),
        ("127.0.0.1", "127.0.0.1.evil.example", False),
        ("127.0.0.1", "", False),
        ("127.0.0.1", "localhost:", False),
        ("127.0.0.1", "localhost:80:80", False),
        ("127.0.0.1", "[localhost]", False),
        ("127.0.0.1", "evil@localhost", False),
        ("0.0.0.0", "192.168.1.5:8765", True),
        ("0.0.0.0", "evil.example", False),
        ("review.example", "Review.example:8765", True),
        ("review.example", "evil.example:8765", False),
    ],
)
def test_hosts_that_are_ours(bound: str, authority: str, known: bool) -> None:
    assert Hosts(bound).know(authority) is known


def test_a_foreign_host_gets_nothing_at_all(ann: Browser) -> None:
    for path in ("/", "/api/progress", "/static/page.js", "/nowhere"):
        reply = ann.get(path, Host="evil.example:8765")
        assert (reply.status_code, set(reply.json())) == (403, {"error"})
        assert "set-cookie" not in reply.headers


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://127.0.0.1:9999", "http://127.0.0.1"])
def test_a_foreign_origin_changes_nothing(origin: str, ann: Browser, workspace: Workspace) -> None:
    for method, path in (("POST", "/api/answers"), ("POST", "/api/undo"), ("DELETE", "/session"), ("POST", "/session")):
        assert ann.send(method, path, ANSWER, Origin=origin).status_code == 403
    assert read_answers(workspace) == []


def test_requests_without_an_origin_change_nothing(ann: Browser, workspace: Workspace) -> None:
    del ann.headers["Origin"]

    assert ann.post("/api/answers", **ANSWER).status_code == 403
    assert read_answers(workspace) == []


@pytest.mark.parametrize("token", ["", "x", "ä"])
def test_a_wrong_csrf_token_changes_nothing(token: str, ann: Browser, workspace: Workspace) -> None:
    headers = {"X-CSRF-Token": token.encode("latin-1")}

    for method, path in (("POST", "/api/answers"), ("POST", "/api/undo"), ("DELETE", "/session"), ("POST", "/session")):
        assert ann.send(method, path, ANSWER, **headers).status_code == 403  # type: ignore[arg-type]
    assert read_answers(workspace) == []
    assert ann.get("/api/progress").status_code == 200


def test_a_csrf_token_is_bound_to_its_session(ann: Browser, clients: Any) -> None:
    bob = clients()
    bob.sign_in("Bob")

    assert ann.send("POST", "/api/answers", ANSWER, **{"X-CSRF-Token": bob.headers["X-CSRF-Token"]}).status_code == 403


def test_signing_in_without_having_seen_the_form_is_refused(clients: Any) -> None:
    assert clients().post("/session", name="Ann").status_code == 403


def test_the_cookie_is_for_this_server_alone(clients: Any) -> None:
    browser = clients()
    first = browser.get("/").headers["set-cookie"]
    signed = browser.sign_in("Ann").headers["set-cookie"]

    for cookie in (first, signed):
        attributes = {part.strip().lower() for part in cookie.split(";")[1:]}
        assert {"httponly", "samesite=lax", "path=/"} <= attributes
        assert not any(part.startswith("domain") for part in attributes)
    # Two names: whatever a visit without cookies brings, it never replaces the one of who has signed in.
    assert first.split("=")[0] != signed.split("=")[0]
    assert "set-cookie" not in browser.get("/").headers


def test_a_visit_without_cookies_signs_nobody_out(ann: Browser, clients: Any) -> None:
    """What a browser does that does not send them along from another site: it takes what the reply brings."""
    stranger = clients()
    stranger.open()
    for cookie in stranger.client.cookies.jar:
        ann.client.cookies.jar.set_cookie(cookie)

    assert ann.get("/api/progress").status_code == 200
    assert 'data-annotator="Ann"' in ann.open()


def test_the_form_of_one_tab_works_while_another_tab_is_signed_in(clients: Any) -> None:
    browser = clients()
    browser.open()
    form = dict(browser.headers)
    browser.sign_in("Ann")
    browser.headers = form

    assert browser.post("/session", name="Bob").status_code == 204
    assert 'data-annotator="Bob"' in browser.open()


@pytest.mark.parametrize("path", ["/api/next", "/api/progress", "/images/x"])
@pytest.mark.parametrize("site", ["cross-site", "same-site", "?"])
def test_pages_of_others_cannot_ask(site: str, path: str, ann: Browser) -> None:
    """A page on another port of this machine is of the same site: the browser sends cookies along."""
    assert ann.get(path, **{"Sec-Fetch-Site": site}).status_code == 403
    for own in ("same-origin", "none"):
        assert ann.get(path, **{"Sec-Fetch-Site": own}).status_code in (200, 404)
    assert ann.get("/", **{"Sec-Fetch-Site": site}).status_code == 200


@pytest.mark.parametrize("path", ["/", "/api/progress", "/api/nothing", "/static/page.js", "/static/none", "/images/x"])
def test_every_reply_has_the_headers(path: str, ann: Browser) -> None:
    headers = ann.get(path).headers

    for name, value in HEADERS.items():
        if name != "cache-control":
            assert headers[name] == value
    assert "server" not in headers
    assert headers["cache-control"] == ("no-cache" if path == "/static/page.js" else "no-store")


def test_the_token_is_wanted_and_never_shown(guarded: Browser, caplog: pytest.LogCaptureFixture) -> None:
    page = guarded.open()
    replies = [guarded.sign_in("Ann", token) for token in (None, "", TOKEN[:-1], TOKEN + "x")]
    assert [reply.status_code for reply in replies] == [403] * 4

    good = guarded.sign_in("Ann", TOKEN)
    replies += [good, guarded.get("/"), guarded.get("/api/next"), guarded.get(f"/?token={TOKEN[:4]}")]

    assert '<input id="token"' in page
    assert good.status_code == 204
    for reply in replies:
        assert TOKEN not in reply.text
        assert TOKEN not in str(reply.headers)
    assert TOKEN not in page + caplog.text


def test_wrong_tokens_are_limited(guarded: Browser) -> None:
    codes = [guarded.sign_in("Ann", "y" * 20).status_code for _ in range(WRONG_TOKENS + 1)]
    wrong, late = guarded.sign_in("Ann", "y" * 20), guarded.sign_in("Ann", TOKEN)

    assert codes == [403] * WRONG_TOKENS + [429]
    assert 0 < int(wrong.headers["retry-after"]) <= 600
    assert late.status_code == 204  # people who share an address do not lock each other out


def test_a_cookie_from_before_the_token_is_worth_nothing(ann: Browser, guarded: Browser) -> None:
    guarded.client.cookies.update(dict(ann.client.cookies))

    assert guarded.get("/api/progress").status_code == 401


@pytest.mark.parametrize(
    "path",
    [
        "/images/../anomagent.db",
        "/images/%2e%2e%2fanomagent.db",
        "/images/..%2f..%2fetc%2fpasswd",
        "/images/%2fetc%2fpasswd",
        f"/images/{'0' * 64}",
        f"/images/{'A' * 64}",
        f"/images/{'0' * 63}%00",
        "/images/",
        "/static/../app.py",
        "/static/%2e%2e/app.py",
        "/static/%2e%2e%2fapp.py",
        "/static//etc/passwd",
        "/static/",
        "/static/a%00b",
    ],
)
def test_paths_lead_nowhere(path: str, ann: Browser) -> None:
    reply = ann.get(path)

    assert (reply.status_code, set(reply.json())) == (404, {"error"})
