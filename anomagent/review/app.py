"""The web application: its pages, images and static files, the API, and what becomes of errors."""

import logging
from asyncio import Semaphore
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, cast

from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp

from anomagent.errors import StoreError, UsageError
from anomagent.report.plain import printable
from anomagent.review import api
from anomagent.review.desk import Desk, NotThere
from anomagent.review.guidelines import GUIDELINES, QUESTION, REASON_CHOICES, VERDICT_CHOICES
from anomagent.review.images import is_hash, show_image
from anomagent.review.security import Guard, Hosts
from anomagent.review.sessions import Attempts, EndedSessions, Session, Sessions, read_key
from anomagent.review.threads import in_thread
from anomagent.store.reviews import IdTakenError

STATIC: Final = Path(__file__).parent / "static"
_IMAGES_AT_ONCE = 3
"""Each may need some hundred megabytes while it is converted."""
_AT_ONCE = 32
"""Each needs a thread and a connection to the database, for milliseconds."""
_FOREVER = "private, max-age=31536000, immutable"
"""An image is named by its content, so it never changes. Private: no proxy may show it to somebody else."""

_log = logging.getLogger(__name__)
_templates = Environment(loader=PackageLoader("anomagent.review"), autoescape=True, undefined=StrictUndefined)


def create_app(desk: Desk, host: str, token: str | None = None) -> ASGIApp:
    """The application for a server that listens on `host`; with `token`, whoever signs in needs it.

    Raises `StoreError` where the workspace cannot hold the key that sessions are signed with.
    """
    routes = [
        Route("/", home, methods=["GET"]),
        *api.routes(),
        Route("/images/{sha256}", image, methods=["GET"]),
        Mount("/static", _Static(directory=STATIC)),
    ]
    app = Starlette(
        routes=routes,
        exception_handlers={
            HTTPException: _refused,
            NotThere: _failed,
            IdTakenError: _taken,
            UsageError: _failed,
            StoreError: _failed,
            ClientDisconnect: _gone,
            Exception: _fault,
        },
    )
    sessions = Sessions(read_key(desk.workspace.path), token, ended=EndedSessions(desk.workspace.path))
    app.state.decoding = Semaphore(_IMAGES_AT_ONCE)
    app.state.office = api.Office(desk, sessions, Attempts(), token, Semaphore(_AT_ONCE))
    return Guard(app, Hosts(host))


async def home(request: Request) -> Response:
    """GET /: the page of whoever is signed in, else the form to do so.

    The form has a session, and a cookie, of its own: whoever comes without cookies never loses those that are there.
    """
    office = api.office_of(request)
    session = office.session_of(request) or office.form_of(request)
    if session is not None:
        return _page(office, session)
    session, cookie = office.sessions.issue()
    response = _page(office, session)
    api.set_cookie(response, office.sessions.form_cookie, cookie)
    return response


def _page(office: api.Office, session: Session) -> Response:
    template = _templates.get_template("page.html" if session.annotator else "sign_in.html")
    page = template.render(
        csrf_token=office.sessions.csrf_token(session),
        annotator=session.annotator,
        token_wanted=office.token is not None,
        question=QUESTION,
        guidelines=GUIDELINES,
        reasons=[(choice.id, choice.title) for choice in REASON_CHOICES],
        verdict_keys={choice.id: choice.key for choice in VERDICT_CHOICES},
    )
    return HTMLResponse(page)


async def image(request: Request) -> Response:
    """GET /images/SHA256."""
    api.signed_in(request)
    desk, sha256 = api.office_of(request).desk, request.path_params["sha256"]
    headers = {"Cache-Control": _FOREVER, "ETag": f'"{sha256}"'}
    if is_hash(sha256) and request.headers.get("if-none-match") == headers["ETag"]:
        return Response(status_code=304, headers=headers)
    async with request.app.state.decoding:
        shown = await in_thread(show_image, desk.workspace, sha256)
    return Response(shown.content, headers=headers, media_type=shown.mime)


class _Static(StaticFiles):
    """Our own scripts and styles; browsers ask each time whether they have changed."""

    def file_response(self, *arguments: Any, **options: Any) -> Response:
        response = super().file_response(*arguments, **options)
        response.headers["Cache-Control"] = "no-cache"
        return response


async def _refused(request: Request, error: Exception) -> Response:
    refused = cast(HTTPException, error)
    return _error(refused.status_code, refused.detail, refused.headers)


async def _failed(request: Request, error: Exception) -> Response:
    """What the desk could not do. Where things lie on the server is for the server's terminal alone."""
    place = f"workspace {api.office_of(request).desk.workspace.path}"
    message = str(error).replace(place, "the workspace")
    if not isinstance(error, StoreError):
        return _error(404, message)
    _log.error("%s", error)
    return _error(503, message, {"Retry-After": "5"})


async def _taken(request: Request, error: Exception) -> Response:
    return _error(409, str(error))


async def _gone(request: Request, error: Exception) -> Response:
    return _error(400, "the request was broken off")


async def _fault(request: Request, error: Exception) -> Response:
    """A fault of ours: the traceback is on the server's terminal."""
    return _error(500, "the server made a mistake; its terminal shows which")


def _error(status: int, message: str, headers: Mapping[str, str] | None = None) -> Response:
    return JSONResponse({"error": " ".join(printable(message).split())}, status, headers)
