"""What may be asked, and nothing else: bodies and queries, checked before anything is done for them."""

import json
from asyncio import timeout
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal, NoReturn, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError
from starlette.exceptions import HTTPException

from anomagent.benchmark.kinds import Kind
from anomagent.report.plain import printable
from anomagent.review.queue import Filters
from anomagent.state.reviews import LONGEST_NOTE, FittingReason, Verdict

if TYPE_CHECKING:
    from starlette.requests import Request

LARGEST_BODY: Final = 64 * 1024
"""Bytes."""
_PATIENCE: Final = 30.0
"""Seconds that a body may take: a telephone's connection is slow at times."""
LONGEST_AGE: Final = 30 * 86_400.0
"""Seconds that a device may have kept an answer."""
_LARGEST_ID = 2**63 - 1
"""What SQLite can hold."""

_Body = TypeVar("_Body", bound=BaseModel)


def _tidy_note(note: object) -> object:
    """A note without control characters and halves of surrogate pairs: a browser may have cut a letter in two."""
    return printable(note).strip() or None if isinstance(note, str) else note


def _number(value: object) -> object:
    """Digits of a query as a number; SQLite's range is checked later."""
    return int(value) if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 20 else value


_AnswerId = Annotated[str, Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")]
_ItemId = Annotated[int, Field(ge=1, le=_LARGEST_ID)]
_QueryId = Annotated[_ItemId, BeforeValidator(_number)]
_Severity = Annotated[int, BeforeValidator(_number), Field(ge=0, le=100)]
_Age = Annotated[float, Field(ge=0, le=LONGEST_AGE, allow_inf_nan=False)]
_Note = Annotated[Annotated[str, Field(max_length=LONGEST_NOTE)] | None, BeforeValidator(_tidy_note)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)


class SignIn(_Strict):
    """POST /session."""

    name: str = Field(max_length=1_000)
    token: str | None = Field(default=None, max_length=1_000)


class AnswerBody(_Strict):
    """POST /api/answers."""

    id: _AnswerId
    item: _ItemId
    verdict: Verdict
    reason: FittingReason = None
    note: _Note = None
    seconds: float | None = Field(default=None, ge=0, le=86_400, allow_inf_nan=False)
    age: _Age = 0.0
    """Seconds since it was given, on the device's clock."""


class UndoBody(_Strict):
    """POST /api/undo."""

    id: _AnswerId
    item: _ItemId
    answer: _AnswerId | None = None
    """The answer that it withdraws; without one, whichever stands."""
    age: _Age = 0.0


class NextQuery(_Strict):
    """GET /api/next."""

    after: _QueryId | None = None
    source: str | None = Field(default=None, max_length=1_000)
    severity_min: _Severity = 0
    severity_max: _Severity = 100
    kind: Kind | None = None
    unsure: Literal["0", "1"] = "0"

    def filters(self) -> Filters:
        """What the queue filters by."""
        return Filters(self.source, self.severity_min, self.severity_max, self.kind, self.unsure == "1")


async def read_body(request: "Request", model: type[_Body]) -> _Body:
    """The request's JSON.

    Raises `HTTPException`: 415 for another type, 413 for a large body, 408 for a slow one, 400 for a wrong one.
    """
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/json":
        raise HTTPException(415, "send application/json")
    try:
        async with timeout(_PATIENCE):
            body = await _read(request)
    except TimeoutError:
        raise HTTPException(408, "the body did not come to its end in time") from None
    try:
        value = json.loads(body.decode("utf-8"), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise HTTPException(400, "the body is no JSON") from None
    return _checked(model, value)


async def _read(request: "Request") -> bytes:
    body = bytearray()
    async for part in request.stream():
        body += part
        if len(body) > LARGEST_BODY:
            raise HTTPException(413, f"the body is larger than {LARGEST_BODY // 1024} KB")
    return bytes(body)


def read_query(request: "Request", model: type[_Body]) -> _Body:
    """The request's query; a parameter without a value counts as not given. Raises `HTTPException` 400."""
    given = [(name, value) for name, value in request.query_params.multi_items() if value]
    if len(dict(given)) < len(given):
        raise HTTPException(400, "a parameter is given twice")
    return _checked(model, dict(given))


def _checked(model: type[_Body], value: Any) -> _Body:
    try:
        return model.model_validate(value)
    except ValidationError as error:
        # What was sent is not repeated: it may hold a token.
        first = error.errors(include_url=False, include_input=False, include_context=False)[0]
        place = ".".join(printable(str(part))[:80] for part in first["loc"]) or "the request"
        raise HTTPException(400, f"{place}: {first['msg']}") from None


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no JSON")
