"""Every way in which a server can fail, through the real client over a real connection."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from anomagent.errors import BadRequest, CutOff, Malformed, ModelError, RateLimited, Refused, Unavailable
from anomagent.state.findings import ImageRef
from tests.models.server import BREAKS_OFF, HALF_JSON, HANGS, HTML, LIST, Reaction, Server, fails, says
from tests.models.talking import talk

KEY = "sk-live-0123456789abcdef"
ECHO = f"Incorrect API key provided: {KEY}. You can find your key in the settings."
OTHER_KEY = "Authorization: Bearer abc.def was refused"


@dataclass(frozen=True)
class Lasting:
    """A fault that does not go away: what it ends as, and how many requests it costs with three tries."""

    id: str
    reaction: Reaction
    error: type[ModelError]
    requests: int
    says: str
    timeout: float = 20.0


LASTING = [
    Lasting("busy", fails(429, "slow down"), RateLimited, 3, "too many requests"),
    Lasting("no quota", fails(429, "quota", "insufficient_quota"), BadRequest, 1, "check plan and billing"),
    Lasting("broken", fails(500), Unavailable, 3, "the server failed (500)"),
    Lasting("overloaded", fails(503), Unavailable, 3, "the server failed (503)"),
    Lasting("hanging", HANGS, Unavailable, 3, "no answer within 0.3 s", timeout=0.3),
    Lasting("broken off", BREAKS_OFF, Unavailable, 3, "could not be reached or broke off"),
    Lasting("half an answer", HALF_JSON, Unavailable, 3, "could not be reached or broke off"),
    Lasting("a web page", HTML, BadRequest, 1, "is the base URL right?"),
    Lasting("JSON of another kind", Reaction(content=b'{"detail": "x"}'), BadRequest, 1, "is the base URL right?"),
    Lasting("a list", Reaction(content=b"[1]"), BadRequest, 1, "is the base URL right?"),
    Lasting("no choices", Reaction(content=b'{"choices": []}'), BadRequest, 1, "is the base URL right?"),
    Lasting("refusal", says(None, refusal="I will not"), Refused, 1, "I will not"),
    Lasting("refusal in words", says("I'm sorry, but I can't assist with that."), Refused, 1, "can't assist"),
    Lasting("filtered answer", says("", finish="content_filter"), Refused, 1, "no reason given"),
    Lasting(
        "filtered request", fails(400, "content management policy", "content_filter"), Refused, 1, "content filter"
    ),
    Lasting("wrong key", fails(401, ECHO), BadRequest, 1, "did not accept the API key"),
    Lasting("wrong key of a gateway", fails(401, OTHER_KEY), BadRequest, 1, "did not accept the API key"),
    Lasting("no right", fails(403), BadRequest, 1, "account's rights"),
    Lasting("no such model", fails(404, "model m not found"), BadRequest, 1, "check the model's name"),
    Lasting("too large", fails(413), BadRequest, 1, "lower image_max_pixels"),
    Lasting("no images", fails(400, "m is not a multimodal model"), BadRequest, 1, "m is not a multimodal model"),
    Lasting("plain text", Reaction(418, b"teapot", {"content-type": "text/plain"}), BadRequest, 1, "teapot"),
]


@pytest.mark.parametrize("case", LASTING, ids=lambda case: case.id)
async def test_a_lasting_fault_ends_as_a_typed_error(
    case: Lasting, server: Server, image: ImageRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server.script = [case.reaction]

    async with talk(image, url=server.url, timeout=case.timeout, attempts=3) as talking:
        with pytest.raises(case.error) as caught:
            await talking.ask()

        message = str(caught.value)
        assert case.says in message
        assert "\n" not in message
        assert len(server.asked) == case.requests
        assert len(talking.pauses) == case.requests - 1
        assert caught.value.call is not None
        assert caught.value.call["attempts"] == case.requests
        everything = (
            f"{message} {caught.value.__cause__} {caught.value.__context__} {talking.events} {talking.ledger.attempts}"
        )
        assert KEY not in everything
        assert "abc.def" not in everything
        assert talking.kinds()[-1] == "failed"


PASSING = [
    Lasting(case.id, case.reaction, case.error, 2, "", case.timeout)
    for case in LASTING
    if case.error in (RateLimited, Unavailable)
]


@pytest.mark.parametrize("case", PASSING, ids=lambda case: case.id)
async def test_a_passing_fault_is_tried_again(case: Lasting, server: Server, image: ImageRef) -> None:
    server.script = [case.reaction, says()]

    async with talk(image, url=server.url, timeout=case.timeout) as talking:
        answer = await talking.ask()

        assert answer.reply.objects[0].name == "cup"
        assert answer.call["attempts"] == 2
        assert talking.kinds() == ["sent", "retry", "answered"]
        assert talking.outcomes() == ["good"]


async def test_nobody_listens(image: ImageRef, unused_tcp_port: int) -> None:
    async with talk(image, url=f"http://127.0.0.1:{unused_tcp_port}/v1", attempts=2) as talking:
        with pytest.raises(Unavailable, match="could not be reached"):
            await talking.ask()

        assert len(talking.pauses) == 1


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [({"retry_after": "17"}, 17), ({"retry_after": "17.5"}, 17.5), ({"retry_after_ms": "90500"}, 90.5)],
    ids=str,
)
async def test_no_try_is_earlier_than_the_server_asked_for(
    headers: dict[str, str], seconds: float, server: Server, image: ImageRef
) -> None:
    server.script = [fails(429, **headers), says()]

    async with talk(image, url=server.url) as talking:
        await talking.ask()

        assert talking.pauses == [seconds]


async def test_nonsense_in_retry_after_is_passed_over(server: Server, image: ImageRef) -> None:
    server.script = [fails(429, retry_after="soon"), fails(503, retry_after="Wed, 21 Oct 2015 07:28:00 GMT"), says()]

    async with talk(image, url=server.url) as talking:
        await talking.ask()

        assert all(0 <= pause <= 4 for pause in talking.pauses)


async def test_a_wait_beyond_all_patience_is_not_begun(server: Server, image: ImageRef) -> None:
    server.script = [fails(429, retry_after="3600")]

    async with talk(image, url=server.url) as talking:
        with pytest.raises(RateLimited):
            await talking.ask()

        assert (len(server.asked), talking.pauses) == (1, [])


async def test_a_malformed_answer_gets_one_repair_turn(server: Server, image: ImageRef) -> None:
    server.script = [says('{"objects": [{"name": "cup"}]}'), says()]

    async with talk(image, url=server.url) as talking:
        answer = await talking.ask()

        assert answer.text == LIST
        assert answer.call["attempts"] == 2
        assert talking.outcomes() == ["malformed", "good"]
        system, first, said, complaint = server.asked[1].body["messages"]
        assert [system, first] == server.asked[0].body["messages"]
        assert (said["role"], said["content"]) == ("assistant", '{"objects": [{"name": "cup"}]}')
        assert complaint["role"] == "user"
        assert "objects.0.description: Field required" in complaint["content"]


async def test_a_second_malformed_answer_is_the_end(server: Server, image: ImageRef) -> None:
    server.script = [says("a cup"), says("still a cup"), says()]

    async with talk(image, url=server.url) as talking:
        with pytest.raises(Malformed, match="no JSON object"):
            await talking.ask()

        assert len(server.asked) == 2
        assert talking.outcomes() == ["malformed", "malformed"]
        assert (await talking.ask()).text == LIST, "bad answers are on record and never replayed"
        assert talking.outcomes() == ["malformed", "malformed", "good"]


async def test_an_answer_that_is_cut_off_gets_double_room_up_to_the_cap(server: Server, image: ImageRef) -> None:
    server.script = [says('{"objects": [', finish="length")]

    async with talk(image, url=server.url, max_tokens=100, max_tokens_cap=350) as talking:
        with pytest.raises(CutOff):
            await talking.ask()

        assert [asked.body["max_tokens"] for asked in server.asked] == [100, 200, 350]
        assert talking.outcomes() == ["cut_off"] * 3
        assert all(len(asked.body["messages"]) == 2 for asked in server.asked), "nothing of it is shown to the model"


async def test_room_and_repair_together(server: Server, image: ImageRef) -> None:
    server.script = [says("{", finish="length"), says("{}"), says("{", finish="length"), says()]

    async with talk(image, url=server.url, max_tokens=100) as talking:
        await talking.ask()

        assert [asked.body["max_tokens"] for asked in server.asked] == [100, 200, 200, 400]
        assert [len(asked.body["messages"]) for asked in server.asked] == [2, 2, 4, 4]
        assert len({attempt["key"] for attempt in talking.ledger.attempts}) == 1
