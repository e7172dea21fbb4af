"""The HTTP API that the page talks to: each endpoint knows its session, checks what was sent and asks the desk."""

from asyncio import Semaphore
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from typing import Any, NamedTuple

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from anomagent.errors import UsageError
from anomagent.review.desk import Desk
from anomagent.review.names import tidy_name
from anomagent.review.requests import AnswerBody, NextQuery, SignIn, UndoBody, read_body, read_query
from anomagent.review.security import SAFE_METHODS, same_secret
from anomagent.review.sessions import LIFETIME, Attempts, Session, Sessions
from anomagent.review.threads import in_thread

_LONGEST_ID = 18
"""Digits; longer numbers are no row of SQLite."""


class Office(NamedTuple):
    """What all endpoints share."""

    desk: Desk
    sessions: Sessions
    attempts: Attempts
    token: str | None
    working: Semaphore
    """How many requests are worked on at once, each in a thread; the others wait."""

    def session_of(self, request: Request) -> Session | None:
        """The session of whoever has signed in."""
        session = self.sessions.read(request.cookies.get(self.sessions.cookie))
        return session if session and session.annotator else None

    def form_of(self, request: Request) -> Session | None:
        """The session of a browser that was shown the form."""
        return self.sessions.read(request.cookies.get(self.sessions.form_cookie))


def office_of(request: Request) -> Office:
    """What the application was made with."""
    return request.app.state.office


def signed_in(request: Request) -> str:
    """Who asks. Raises `HTTPException`: 401 without a session, 403 where a change is not confirmed by its token."""
    office = office_of(request)
    session = office.session_of(request)
    if session is None:
        raise HTTPException(401, "sign in first")
    if request.method not in SAFE_METHODS:
        _check_csrf(office, request, session)
    return session.annotator


def set_cookie(response: Response, name: str, value: str) -> None:
    """Give the browser a session that scripts never see.

    Another site's link brings it along ("lax"), so that whoever follows one is still signed in; no other request of
    another site does, and whatever changes something needs the page's own origin and token besides.
    """
    response.set_cookie(name, value, LIFETIME, path="/", httponly=True, samesite="lax")


async def start_session(request: Request) -> Response:
    """POST /session."""
    office = office_of(request)
    _check_csrf(office, request, office.form_of(request), office.session_of(request))
    body = await read_body(request, SignIn)
    _check_token(office, body.token, request.client.host if request.client else "")
    try:
        name = tidy_name(body.name)
    except UsageError as error:
        raise HTTPException(400, str(error)) from None
    if known := await in_thread(office.desk.known_as, name):
        message = f"somebody is known here as {known}; sign in as {known}, or under a name that differs more"
        return JSONResponse({"error": message, "known": known}, 409)
    response = Response(status_code=204)
    set_cookie(response, office.sessions.cookie, office.sessions.issue(name)[1])
    return response


async def end_session(request: Request) -> Response:
    """DELETE /session."""
    signed_in(request)
    office = office_of(request)
    if session := office.session_of(request):
        await in_thread(office.sessions.end, session)
    response = Response(status_code=204)
    response.delete_cookie(office.sessions.cookie, path="/", httponly=True, samesite="lax")
    return response


async def next_item(request: Request) -> Response:
    """GET /api/next."""
    annotator = signed_in(request)
    return await _reply(request, office_of(request).desk.next, annotator, read_query(request, NextQuery))


async def item(request: Request) -> Response:
    """GET /api/items/ID."""
    return await _reply(request, office_of(request).desk.item, signed_in(request), _id(request))


async def evidence(request: Request) -> Response:
    """GET /api/items/ID/evidence."""
    signed_in(request)
    return await _reply(request, office_of(request).desk.evidence, _id(request))


async def answer(request: Request) -> Response:
    """POST /api/answers."""
    annotator = signed_in(request)
    body = await read_body(request, AnswerBody)
    return await _reply(request, office_of(request).desk.answer, annotator, body, datetime.now(UTC))


async def undo(request: Request) -> Response:
    """POST /api/undo."""
    annotator = signed_in(request)
    body = await read_body(request, UndoBody)
    return await _reply(request, office_of(request).desk.undo, annotator, body, datetime.now(UTC))


async def progress(request: Request) -> Response:
    """GET /api/progress."""
    return await _reply(request, office_of(request).desk.progress, signed_in(request))


async def filters(request: Request) -> Response:
    """GET /api/filters."""
    signed_in(request)
    return await _reply(request, office_of(request).desk.filters)


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


async def _reply(request: Request, work: Callable[..., Any], *arguments: Any) -> Response:
    """What the desk says, as JSON."""
    async with office_of(request).working:
        return JSONResponse(await in_thread(work, *arguments))


def _id(request: Request) -> int:
    text = request.path_params["id"]
    if not (text.isascii() and text.isdecimal() and len(text) <= _LONGEST_ID):
        raise HTTPException(404, "a candidate is named by its number")
    return int(text)


def _check_csrf(office: Office, request: Request, *sessions: Session | None) -> None:
    """Whether the page belongs to one of the browser's sessions."""
    given = request.headers.get("x-csrf-token")
    if not any(session and office.sessions.is_csrf_token(session, given) for session in sessions):
        raise HTTPException(403, "this page is out of date; load it again")


def _check_token(office: Office, given: str | None, address: str) -> None:
    """The right token is taken however many wrong ones came from the same address: many people may share it."""
    if office.token is None or same_secret(given or "", office.token):
        return
    if wait := office.attempts.wait(address):
        headers = {"Retry-After": str(wait)}
        raise HTTPException(429, f"too many wrong tokens; try again in {wait} seconds", headers)
    office.attempts.failed(address)
    raise HTTPException(403, "the token is wrong")
