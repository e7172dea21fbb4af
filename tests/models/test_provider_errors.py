"""Exceptions of packages that are not installed here, told apart by status, name and words."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http import HTTPStatus
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import BadRequest, ModelError, RateLimited, Refused, Unavailable
from anomagent.models.provider_errors import as_model_error


def _error(
    message: str = "m", *, name: str = "ProviderError", cause: Exception | None = None, **fields: Any
) -> Exception:
    error = type(name, (Exception,), {})(message)
    for field, value in fields.items():
        setattr(error, field, value)
    error.__cause__ = cause
    return error


CASES: list[tuple[Exception, type[ModelError]]] = [
    (_error(status_code=429), RateLimited),  # OpenAI, Anthropic
    (_error(status_code=529), Unavailable),  # Anthropic: overloaded
    (_error(code=503), Unavailable),  # google-genai
    (_error(code=HTTPStatus.TOO_MANY_REQUESTS), RateLimited),
    (_error(code=SimpleNamespace(value=(429, "resource exhausted"))), RateLimited),  # gRPC
    (_error(response=SimpleNamespace(status_code=401)), BadRequest),  # requests
    (_error(response={"status_code": 503}), Unavailable),
    (_error(cause=_error(status_code=500)), Unavailable),
    (_error("status_code: 429 \n code: Throttling \n message: wait"), RateLimited),  # DashScope through LangChain
    (_error("Error code: 404 - not found"), BadRequest),
    (_error(name="APIConnectionError"), Unavailable),
    (_error(name="ReadTimeout", cause=TimeoutError()), Unavailable),
    (_error(cause=ConnectionError("refused")), Unavailable),
    (_error("DataInspectionFailed: data_inspection_failed", status_code=400), Refused),
    (_error("rejected by our safety system", status_code=400), Refused),
    (_error("Your credit balance is too low", status_code=403), BadRequest),
    (_error("Arrearage", status_code=402), BadRequest),
    (_error("billing hard limit", status_code=429), BadRequest),
    (_error(status_code=409), Unavailable),
    (_error(status_code=422), BadRequest),
    (_error(status_code="429"), BadRequest),
    (KeyError("choices"), BadRequest),
]


@pytest.mark.parametrize(("error", "expected"), CASES, ids=lambda value: repr(value)[:60])
def test_errors_are_told_apart(error: Exception, expected: type[ModelError]) -> None:
    found = as_model_error(error, "provider:m")

    assert type(found) is expected
    assert str(found).startswith("provider:m: ")


def test_the_providers_own_words_are_kept() -> None:
    body = {"error": {"message": "no such\nmodel", "code": "model_not_found"}}
    for given_body in (body, body["error"]):
        said = str(as_model_error(_error("long text", status_code=404, body=given_body), "p:m"))
        assert said.endswith("check the model's name and the base URL: no such model [model_not_found]")
    assert str(as_model_error(_error("x", status_code=404, body={"error": "plain"}), "p:m")).endswith(": plain")
    assert str(as_model_error(_error("", status_code=500, body=None), "p:m")).endswith(": ProviderError")


@pytest.mark.parametrize("value", ["soon", "", "-5", "1e9999x", None, b"3"])
def test_a_retry_after_that_is_none(value: Any) -> None:
    response = SimpleNamespace(status_code=429, headers={"retry-after": value})

    found = as_model_error(_error(response=response, status_code=429), "p:m")
    assert found.retry_after is None


def test_a_retry_after_that_is_a_date() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    response = SimpleNamespace(status_code=429, headers={"retry-after": later})

    seconds = as_model_error(_error(response=response, status_code=429), "p:m").retry_after
    assert seconds is not None
    assert 60 < seconds <= 90


@given(
    st.text(),
    st.none() | st.integers() | st.text(),
    st.recursive(st.none() | st.text(), lambda inner: st.dictionaries(st.text(), inner)),
)
def test_no_error_is_too_strange(message: str, status: object, body: object) -> None:
    found = as_model_error(_error(message, status_code=status, body=body), "p:m")

    assert isinstance(found, ModelError)
    assert len(str(found).splitlines()) == 1
    assert len(str(found)) < 600


def test_a_chain_that_bites_its_tail() -> None:
    first, second = Exception("a"), Exception("b")
    first.__cause__, second.__cause__ = second, first

    assert isinstance(as_model_error(first, "p:m"), BadRequest)
