from __future__ import annotations

import base64
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, HumanMessage

from anomagent.errors import UsageError
from anomagent.nodes.intake import INTAKE, decode_data_url, image_of, take_in, take_in_from_strangers
from anomagent.state.findings import ImageRef
from tests.asking import IMAGE


class Workspace:
    """Takes everything and remembers it."""

    def __init__(self) -> None:
        self.taken: list[Path | bytes] = []

    async def ingest(self, image: Path | bytes) -> ImageRef:
        self.taken.append(image)
        return IMAGE


def data_url(data: bytes, kind: str = "png") -> str:
    """`data` as chat clients send it."""
    return f"data:image/{kind};base64,{base64.b64encode(data).decode()}"


def image_block(data: bytes) -> dict[str, Any]:
    """A content block with an image."""
    return {"type": "image_url", "image_url": {"url": data_url(data)}}


class TestTakeIn:
    async def test_a_stored_image_is_left_alone(self) -> None:
        workspace = Workspace()
        assert await take_in({"image": IMAGE}, ingest=workspace.ingest) == {}
        assert workspace.taken == []

    async def test_a_path_is_ingested(self) -> None:
        workspace = Workspace()
        assert await take_in({"image_path": "a.png"}, ingest=workspace.ingest) == {"image": IMAGE}
        assert workspace.taken == [Path("a.png")]

    async def test_a_message_is_ingested_and_nothing_of_it_stays(self) -> None:
        workspace = Workspace()
        message = HumanMessage([{"type": "text", "text": "look"}, image_block(b"picture")])
        assert await take_in({"messages": [message]}, ingest=workspace.ingest) == {"image": IMAGE}
        assert workspace.taken == [b"picture"]

    async def test_nothing_at_all_is_an_error_that_says_what_to_give(self) -> None:
        with pytest.raises(UsageError, match="image_path"):
            await take_in({}, ingest=Workspace().ingest)

    async def test_a_thread_takes_one_image(self) -> None:
        """A second analysis on one thread would be mixed up with the first."""
        call: Any = {"key": "k"}
        failure: Any = {"role": "SceneScanner"}
        for past in ({"calls": [call]}, {"failures": [failure]}):
            with pytest.raises(UsageError, match="new thread"):
                await take_in({"image": IMAGE, **past}, ingest=Workspace().ingest)  # pyright: ignore[reportArgumentType]
        assert await take_in({"image": IMAGE, "calls": [], "failures": []}, ingest=Workspace().ingest) == {}


class TestImageOf:
    def test_the_newest_image_of_the_newest_message_wins(self) -> None:
        messages = [
            HumanMessage([image_block(b"old")]),
            HumanMessage([image_block(b"first"), {"type": "text", "text": "or"}, image_block(b"second")]),
            AIMessage("which one?"),
            HumanMessage("the last"),
        ]
        assert image_of(messages) == b"second"

    def test_plain_dictionaries_are_messages_too(self) -> None:
        assert image_of([{"role": "user", "content": [image_block(b"picture")]}]) == b"picture"

    def test_the_url_may_stand_in_the_block_itself(self) -> None:
        assert image_of([{"content": [{"type": "image_url", "image_url": data_url(b"picture")}]}]) == b"picture"

    @pytest.mark.parametrize(
        "messages",
        [[], [HumanMessage("a cup")], [{"content": None}], [{}], [{"content": ["text"]}], ["a cup"], [None]],
        ids=str,
    )
    def test_messages_without_image_are_an_error_that_says_what_to_give(self, messages: list[Any]) -> None:
        with pytest.raises(UsageError, match="no image: give image_path, or a message"):
            image_of(messages)

    @pytest.mark.parametrize("url", [None, {}, {"url": None}, 7, {"url": 7}], ids=str)
    def test_a_block_without_an_address_is_refused(self, url: Any) -> None:
        with pytest.raises(UsageError, match="must be a data URL"):
            image_of([{"content": [{"type": "image_url", "image_url": url}]}])


@dataclass(frozen=True)
class Bad:
    id: str
    url: str
    message: str


BAD = (
    Bad("http", "http://example.org/a.png", "must be a data URL"),
    Bad("https", "https://example.org/a.png", "must be a data URL"),
    Bad("file", "file:///etc/passwd", "must be a data URL"),
    Bad("path", "/tmp/a.png", "must be a data URL"),
    Bad("no image", "data:text/plain;base64,aGk=", "must be a data URL"),
    Bad("not base64 at all", "data:image/svg+xml,<svg/>", "must be a data URL"),
    Bad("empty", "", "must be a data URL"),
    Bad("wrong padding", "data:image/png;base64,abc", "not valid base64"),
    Bad("foreign letters", "data:image/png;base64,a*b=", "not valid base64"),
    Bad("beyond ASCII", "data:image/png;base64,äöü=", "not valid base64"),
)


@pytest.mark.parametrize("bad", BAD, ids=lambda bad: bad.id)
def test_other_addresses_are_refused(bad: Bad) -> None:
    with pytest.raises(UsageError, match=bad.message):
        decode_data_url(bad.url)


@given(st.binary(), st.sampled_from(["png", "jpeg", "webp", "svg+xml"]))
def test_data_urls_give_back_their_bytes(data: bytes, kind: str) -> None:
    assert decode_data_url(data_url(data, kind)) == data


@given(st.text())
def test_any_text_is_an_image_or_a_usage_error(url: str) -> None:
    for text in (url, f"data:image/png;base64,{url}"):
        with suppress(UsageError):
            assert isinstance(decode_data_url(text), bytes)


@pytest.mark.parametrize(
    ("state", "said"),
    [
        ({"image": IMAGE}, "not taken from outside"),
        ({}, "no image"),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": "http://a/b.png"}]}]},
            "data URL",
        ),
    ],
)
async def test_what_strangers_send_wrong_is_a_failure_in_the_state(state: Any, said: str) -> None:
    async def ingest(image: Path | bytes) -> ImageRef:
        raise AssertionError("nothing to ingest")

    update = await take_in_from_strangers(state, ingest=ingest)
    (failure,) = update["failures"]
    assert (failure["role"], failure["error"]) == (INTAKE, "usage")
    assert said in failure["message"]
