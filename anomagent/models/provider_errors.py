"""Providers' exceptions, turned into ours: told apart by HTTP status and name, so that no provider is imported."""

import re
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, cast

from anomagent.errors import BadRequest, ModelError, RateLimited, Refused, Unavailable

_KEYS = re.compile(r"\b(?:(?:sk|gsk|xai|pplx|hf)[-_]|AIza)[A-Za-z0-9*_-]{8,}|(?i:\bbearer\s+)\S+")
_STATUS_IN_TEXT = re.compile(r"(?:status_code|status|error code|code)['\"]?\s*[:=]\s*(\d{3})\b", re.IGNORECASE)
_UNREACHABLE = frozenset(
    {"APIConnectionError", "TransportError", "TimeoutException", "Timeout", "ConnectionError", "TimeoutError"}
    | {"ServiceUnavailable", "DeadlineExceeded", "APIResponseValidationError", "JSONDecodeError"}
)
_NO_MONEY = ("insufficient_quota", "exceeded your current quota", "billing", "credit balance", "arrearage")
_FILTERED = ("content_filter", "content_policy", "content management policy", "safety system", "data_inspection_failed")


def as_model_error(error: Exception, model: str, secrets: Iterable[str] = ()) -> ModelError:
    """The `ModelError` that says the same as `error` in one line, with what to do and without any key."""
    text = _shortened(scrub(_message(error), secrets))
    status = _status(error)
    lowered = text.lower()
    if any(mark in lowered for mark in _FILTERED):
        return Refused(f"{model}: the provider's content filter stopped the request: {text}")
    if any(mark in lowered for mark in _NO_MONEY) and status in (402, 403, 429):
        return BadRequest(f"{model}: the account has no quota left; check plan and billing: {text}")
    if status is None and any(cls.__name__ in _UNREACHABLE for link in _chain(error) for cls in type(link).__mro__):
        return Unavailable(f"{model}: the server could not be reached or broke off: {text}")
    failure = _by_status(status, model, text)
    failure.retry_after = _retry_after(error)
    return failure


def scrub(text: str, secrets: Iterable[str] = ()) -> str:
    """`text` without the given secrets and without anything that looks like an API key."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, "[key]")
    return _KEYS.sub("[key]", text)


def _by_status(status: int | None, model: str, text: str) -> ModelError:
    match status:
        case None:
            return BadRequest(f"{model}: the answer was none of a chat model; is the base URL right? {text}")
        case 401:
            return BadRequest(f"{model}: the server did not accept the API key; check it: {text}")
        case 402 | 403:
            return BadRequest(f"{model}: this key may not use this model; check the account's rights: {text}")
        case 404:
            return BadRequest(f"{model}: no such model or address; check the model's name and the base URL: {text}")
        case 413:
            return BadRequest(f"{model}: the request is too large; lower image_max_pixels: {text}")
        case 429:
            return RateLimited(f"{model}: too many requests; lower the concurrency or the requests per minute: {text}")
        case 408 | 409 | 425:
            return Unavailable(f"{model}: the server was not ready ({status}): {text}")
        case _ if status >= 500:
            return Unavailable(f"{model}: the server failed ({status}): {text}")
        case _:
            return BadRequest(f"{model}: the server refuses this request ({status}): {text}")


def _message(error: Exception) -> str:
    """The provider's own words in one line; a JSON error body is reduced to its message."""
    inner = _field(getattr(error, "body", None), "error") or getattr(error, "body", None)
    message, code = (inner, None) if isinstance(inner, str) else (_field(inner, "message"), _field(inner, "code"))
    if message:
        return _one_line(f"{message} [{code}]" if code else str(message))
    return _one_line(str(error) or type(error).__name__)


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _shortened(line: str, length: int = 400) -> str:
    return line if len(line) <= length else line[: length - 1] + "…"


def _chain(error: BaseException) -> Iterator[BaseException]:
    """The error and what it came from, at most eight links."""
    link: BaseException | None = error
    for _ in range(8):
        if link is None:
            return
        yield link
        link = link.__cause__ or link.__context__


def _status(error: Exception) -> int | None:
    for link in _chain(error):
        response: Any = getattr(link, "response", None)
        for holder, name in ((link, "status_code"), (response, "status_code"), (link, "code"), (link, "status")):
            number = _number(_field(holder, name))
            if number is not None:
                return number
    found = _STATUS_IN_TEXT.search(str(error))
    return int(found[1]) if found else None


def _number(value: Any) -> int | None:
    value = getattr(value, "value", value)  # an HTTPStatus or a gRPC code
    if isinstance(value, tuple):
        value = next(iter(cast(tuple[Any, ...], value)), None)
    return value if isinstance(value, int) and 400 <= value < 600 else None


def _field(holder: Any, name: str) -> Any:
    """An entry of a mapping or an attribute of anything else; None where there is none."""
    if isinstance(holder, Mapping):
        return cast(Mapping[str, Any], holder).get(name)
    return getattr(holder, name, None)


def _retry_after(error: Exception) -> float | None:
    """Seconds from the headers `retry-after-ms` or `Retry-After` (seconds or a date), where the server sent one."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    if headers is None:
        return None
    try:
        if milliseconds := headers.get("retry-after-ms"):
            return float(milliseconds) / 1000
        value = headers.get("retry-after")
        if value is None:
            return None
        if re.fullmatch(r"\d+(\.\d+)?", value.strip()):
            return float(value)
        return max(0.0, (parsedate_to_datetime(value) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None
