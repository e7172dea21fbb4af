"""The HTTP API that the page talks to: each endpoint knows its session, checks what was sent and asks the desk."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from anomagent.errors import UsageError
from anomagent.review.desk import Desk
from anomagent.review.requests import AnswerBody, NextQuery, SignIn, UndoBody, read_body, read_query
from anomagent.review.security import SAFE_METHODS, same_secret
from anomagent.review.sessions import LIFETIME, Attempts, Session, Sessions, tidy_name
from anomagent.review.threads import in_thread

_LONGEST_ID = 18
"""Digits; longer numbers are no row of SQLite."""


class Office(NamedTuple):
    """What all endpoints share."""

    desk: Desk
    sessions: Sessions
    attempts: Attempts
    token: str | None

    def session_of(self, request: Request) -> Session | None:
        """The browser's session, signed in or not."""
        return self.sessions.read(request.cookies.get(self.sessions.cookie))


def office_of(request: Request) -> Office:
    """What the application was made with."""
    return request.app.state.office


def signed_in(request: Request) -> str:
    """Who asks. Raises `HTTPException`: 401 without a session, 403 where a change is not confirmed by its token."""
    office = office_of(request)
    session = office.session_of(request)
    if session is None or not session.annotator:
        raise HTTPException(401, "sign in first")
    if request.method not in SAFE_METHODS:
        _check_csrf(office, session, request)
    return session.annotator


def set_cookie(response: Response, office: Office, value: str) -> None:
    """Give the browser a session; scripts never see it, and other sites never make the browser send it."""
    response.set_cookie(office.sessions.cookie, value, LIFETIME, path="/", httponly=True, samesite="strict")


async def start_session(request: Request) -> Response:
    """POST /session."""
    office = office_of(request)
    _check_csrf(office, office.session_of(request), request)
    body = await read_body(request, SignIn)
    _check_token(office, body.token, request.client.host if request.client else "")
    try:
        _, cookie = office.sessions.issue(tidy_name(body.name))
    except UsageError as error:
        raise HTTPException(400, str(error)) from None
    response = Response(status_code=204)
    set_cookie(response, office, cookie)
    return response


async def end_session(request: Request) -> Response:
    """DELETE /session."""
    signed_in(request)
    office = office_of(request)
    if session := office.session_of(request):
        office.sessions.end(session)
    response = Response(status_code=204)
    response.delete_cookie(office.sessions.cookie, path="/", httponly=True, samesite="strict")
    return response


async def next_item(request: Request) -> Response:
    """GET /api/next."""
    annotator = signed_in(request)
    return await _reply(office_of(request).desk.next, annotator, read_query(request, NextQuery))


async def item(request: Request) -> Response:
    """GET /api/items/ID."""
    return await _reply(office_of(request).desk.item, signed_in(request), _id(request))


async def evidence(request: Request) -> Response:
    """GET /api/items/ID/evidence."""
    signed_in(request)
    return await _reply(office_of(request).desk.evidence, _id(request))


async def answer(request: Request) -> Response:
    """POST /api/answers."""
    annotator = signed_in(request)
    return await _reply(office_of(request).desk.answer, annotator, await read_body(request, AnswerBody))


async def undo(request: Request) -> Response:
    """POST /api/undo."""
    annotator = signed_in(request)
    return await _reply(office_of(request).desk.undo, annotator, await read_body(request, UndoBody))


async def progress(request: Request) -> Response:
    """GET /api/progress."""
    return await _reply(office_of(request).desk.progress, signed_in(request))


async def filters(request: Request) -> Response:
    """GET /api/filters."""
    signed_in(request)
    return await _reply(office_of(request).desk.filters)


def routes() -> list[Route]:
    """Where each endpoint is found."""
    table: list[tuple[str, str, Callable[[Request], Awaitable[Response]]]] = [
        ("POST", "/session", start_session),
        ("DELETE", "/session", end_session),
        ("GET", "/api/next", next_item),
        ("GET", "/api/items/{id}", item),
        ("GET", "/api/items/{id}/evidence", evidence),
        ("POST", "/api/answers", answer),
        ("POST", "/api/undo", undo),
        ("GET", "/api/progress", progress),
        ("GET", "/api/filters", filters),
    ]
    return [Route(path, endpoint, methods=[method]) for method, path, endpoint in table]


async def _reply(work: Callable[..., Any], *arguments: Any) -> Response:
    """What the desk says, as JSON."""
    return JSONResponse(await in_thread(work, *arguments))


def _id(request: Request) -> int:
    text = request.path_params["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID):
        raise HTTPException(404, "a candidate is named by its number")
    return int(text)


def _check_csrf(office: Office, session: Session | None, request: Request) -> None:
    if session is None or not office.sessions.is_csrf_token(session, request.headers.get("x-csrf-token")):
        raise HTTPException(403, "this page is out of date; load it again")


def _check_token(office: Office, given: str | None, address: str) -> None:
    if office.token is None:
        return
    if wait := office.attempts.wait(address):
        headers = {"Retry-After": str(wait)}
        raise HTTPException(429, f"too many wrong tokens; try again in {wait} seconds", headers)
    if not same_secret(given or "", office.token):
        office.attempts.failed(address)
        raise HTTPException(403, "the token is wrong")
