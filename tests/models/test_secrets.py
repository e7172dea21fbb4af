"""Keys: they reach the provider and nothing else."""

from __future__ import annotations

import asyncio
import logging
import pickle
import traceback

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import BadRequest, ConfigurationError
from anomagent.models import registry
from anomagent.models.provider_errors import as_model_error, scrub
from anomagent.models.registry import resolve
from anomagent.state.findings import ImageRef
from tests.models.server import Server, fails
from tests.models.talking import talk

KEY = "company-key-4711-without-any-usual-form"


@pytest.mark.parametrize(
    "text",
    [
        "sk-proj-abc_DEF-0123456789",
        "key sk-ab***********xyz.",
        "Bearer abc.def.ghi",
        "gsk_0123456789abcdef",
        "xai-0123456789abcdef",
        "hf_0123456789abcdef",
        "AIzaSyA0123456789abcdef",
        '{"key":"sk-0123456789"}',
    ],
)
def test_what_looks_like_a_key_is_taken_out(text: str) -> None:
    scrubbed = scrub(f"before {text} after")

    assert "[key]" in scrubbed
    assert "0123456789" not in scrubbed
    assert "abc" not in scrubbed
    assert scrubbed.startswith("before ")


@pytest.mark.parametrize(
    "text", ["a skateboarder", "the skeleton of a task-based ask", "desk-mounted", "bearers of news"]
)
def test_words_are_left_alone(text: str) -> None:
    assert scrub(text) == text


@given(st.text(min_size=9), st.text(), st.text())
def test_a_known_key_is_taken_out_whatever_it_looks_like(key: str, before: str, after: str) -> None:
    assert key not in scrub(before + key + after, [key]).replace("[key]", "")


def test_a_key_at_the_end_of_a_long_message_is_not_cut_in_half() -> None:
    for length in range(350, 420):
        said = str(as_model_error(Exception("x" * length + " " + KEY), "p:m", [KEY]))
        assert "company" not in said


async def test_a_client_does_not_show_its_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    client = resolve("openai:gpt-4o")

    assert KEY not in f"{client!r} {client} {client.identity}"
    await client.aclose()


async def test_a_key_of_any_form_is_not_in_what_rises(
    server: Server, image: ImageRef, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script = [fails(401, f"wrong key {KEY}")]

    with caplog.at_level(logging.INFO):
        async with talk(image, url=server.url) as talking:
            with pytest.raises(BadRequest) as caught:
                await talking.ask()

    assert server.asked[0].headers["authorization"] == f"Bearer {KEY}"
    error = caught.value
    assert KEY not in "".join(traceback.format_exception(error))
    assert KEY not in repr(error) + caplog.text
    assert KEY.encode() not in pickle.dumps(str(error))


async def test_a_short_placeholder_does_not_garble_messages(
    server: Server, image: ImageRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "EMPTY")
    server.script = [fails(400, "the EMPTY request")]

    async with talk(image, url=server.url) as talking:
        with pytest.raises(BadRequest, match="the EMPTY request"):
            await talking.ask()


async def test_an_error_of_a_providers_package_is_said_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_OPENAI_API_KEY", KEY)

    with pytest.raises(ConfigurationError, match=r"^azure_openai:gpt-4o: cannot be used: ") as caught:
        await asyncio.to_thread(resolve, "azure_openai:gpt-4o")
    assert "\n" not in str(caught.value)
    assert KEY not in str(caught.value)
    assert caught.value.__cause__ is None


def test_any_of_a_providers_keys_will_do(monkeypatch: pytest.MonkeyPatch) -> None:
    find = registry._key  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setenv("GEMINI_API_KEY", "second")
    assert find("google_genai:x", "GOOGLE_API_KEY", "GEMINI_API_KEY") == "second"
    monkeypatch.setenv("GOOGLE_API_KEY", "first")
    assert find("google_genai:x", "GOOGLE_API_KEY", "GEMINI_API_KEY") == "first"
    with pytest.raises(ConfigurationError, match="x: no API key; set A or B in the environment"):
        find("x", "A", "B")
