"""What goes over the wire to an OpenAI-compatible server, and what is read out of the answer."""

from __future__ import annotations

import asyncio
import base64
import gc
import io
import json
import logging
from typing import Any, TypedDict

import pytest
from langchain_core.messages import AIMessage
from langgraph.graph import StateGraph
from PIL import Image

from anomagent.errors import BadRequest
from anomagent.models.chat import completion_of
from anomagent.models.dialects import TongyiDialect
from anomagent.models.registry import resolve
from anomagent.models.samples import smallest
from anomagent.models.types import Completion, Usage
from anomagent.prompts.anomaly_judge import render_match
from anomagent.prompts.base import SYSTEM
from anomagent.prompts.direct_detector import render_detect
from anomagent.prompts.object_perceiver import ObjectList, render_list
from anomagent.prompts.scene_scanner import render_scan
from anomagent.state.context import AnalysisContext
from anomagent.state.findings import Anomaly, ImageRef
from tests.models.server import LIST, Asked, Reaction, Server, fails, says
from tests.models.talking import ANSWER_USD, talk


async def test_the_message_is_system_then_image_then_text(server: Server, image: ImageRef) -> None:
    async with talk(image, url=server.url) as talking:
        await talking.ask()

    (asked,) = server.asked
    system, user = asked.body["messages"]
    assert system == {"role": "system", "content": SYSTEM}
    assert user["role"] == "user"
    assert [part["type"] for part in user["content"]] == ["image_url", "text"]
    assert user["content"][1]["text"] == render_list(0).text
    assert asked.body["model"] == "m"
    sent = Image.open(io.BytesIO(base64.b64decode(asked.image.partition("base64,")[2])))
    assert (sent.size, sent.mode) == ((256, 256), "RGB")


async def test_without_an_image_the_message_is_plain_text(server: Server, image: ImageRef) -> None:
    floats = Anomaly(name="cup", phenomenon="it floats", reasoning="nothing carries it", severity=5)
    prompt = render_match([floats], [floats])
    server.script = [says('{"pairs": [{"prediction": 1, "reference": 1}]}')]

    async with talk(image, url=server.url) as talking:
        answer = await talking.seam.ask(talking.context, None, prompt, prompt.reply)

    (asked,) = server.asked
    assert asked.body["messages"] == [
        {"role": "system", "content": prompt.system},
        {"role": "user", "content": prompt.text},
    ]
    schema = asked.body["response_format"]["json_schema"]["schema"]
    assert list(schema["properties"]) == ["pairs"]
    assert answer.reply.model_dump() == {"pairs": [{"prediction": 1, "reference": 1}]}
    (row,) = talking.ledger.attempts
    assert (row["image_sha256"], row["role"], row["input_tokens"]) == ("", "AnomalyJudge", 1000)


async def test_what_stands_before_the_text_is_the_same_in_every_call_about_an_image(
    server: Server, image: ImageRef
) -> None:
    server.script = lambda asked: says(json.dumps(smallest(asked.body["response_format"]["json_schema"]["schema"])))

    async with talk(image, url=server.url) as talking:
        for prompt in (render_list(0), render_list(1), render_scan(0), render_detect()):
            await talking.ask(prompt=prompt)

    starts = {(asked.texts[0], asked.image) for asked in server.asked}
    assert len(server.asked) == 4
    assert len(starts) == 1, "the prefix cache of a server would miss"


async def test_the_answer_is_constrained_by_the_strict_schema(server: Server, image: ImageRef) -> None:
    async with talk(image, url=server.url) as talking:
        await talking.ask()

    form = server.asked[0].body["response_format"]
    assert form["type"] == "json_schema"
    assert form["json_schema"] == {"name": "ObjectList", "schema": ObjectList.strict_schema(), "strict": True}


async def test_tokens_and_money_are_recorded(server: Server, image: ImageRef) -> None:
    async with talk(image, url=server.url, budget_usd=1.0) as talking:
        call = (await talking.ask()).call

        assert (call["input_tokens"], call["cached_input_tokens"], call["output_tokens"]) == (1000, 600, 50)
        (row,) = talking.ledger.attempts
        assert (row["input_tokens"], row["cached_input_tokens"], row["output_tokens"]) == (1000, 600, 50)
        assert row["usd"] == call["usd"] == talking.seam.budget.spent == pytest.approx(ANSWER_USD)


async def test_a_server_that_does_not_count_is_charged_the_estimate(server: Server, image: ImageRef) -> None:
    server.script = [says(tokens=None)]

    async with talk(image, url=server.url, budget_usd=1.0) as talking:
        answer = await talking.ask()

        assert answer.call["usd"] is None, "what it cost is not known"
        assert talking.seam.budget.spent > 0


async def test_the_key_goes_into_the_header_alone(
    server: Server, image: ImageRef, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret-secret")

    async with talk(image, url=server.url) as talking:
        await talking.ask()
        seen = f"{server.asked[0].body} {talking.ledger.attempts} {talking.events}"

    assert server.asked[0].headers["authorization"] == "Bearer sk-secret-secret"
    assert "sk-secret" not in seen


async def test_a_temperature_is_sent_where_one_is_set(server: Server, image: ImageRef) -> None:
    async with talk(image, url=server.url) as talking:
        await talking.ask()
        talking.context = AnalysisContext(model="openai:m", base_url=server.url, temperature=0)
        await talking.ask()

    assert "temperature" not in server.asked[0].body
    assert server.asked[1].body["temperature"] == 0


def _takes(*fields: str) -> Any:
    """A server that rejects every other field than these of the two sizes and the schema."""

    def react(asked: Asked) -> Reaction:
        for name in ("response_format", "max_tokens", "max_completion_tokens"):
            if name in asked.body and name not in fields:
                return fails(400, f"Unsupported parameter: '{name}' is not supported with this model.")
        return says()

    return react


@pytest.mark.parametrize(
    ("takes", "tries"),
    [
        (("max_tokens", "response_format"), 1),
        (("max_tokens",), 2),
        (("max_completion_tokens", "response_format"), 2),
        (("max_completion_tokens",), 3),
    ],
    ids=str,
)
async def test_what_a_server_rejects_is_left_out_from_then_on(
    takes: tuple[str, ...], tries: int, server: Server, image: ImageRef, caplog: pytest.LogCaptureFixture
) -> None:
    server.script = _takes(*takes)

    async with talk(image, url=server.url) as talking:
        with caplog.at_level(logging.WARNING):
            await talking.ask()
            assert len(server.asked) == tries
            await talking.ask(slot=1)
            assert len(server.asked) == tries + 1

    assert ("answers are validated here only" in caplog.text) == ("response_format" not in takes)


@pytest.mark.parametrize("takes", [("max_tokens",), ("max_completion_tokens",)], ids=str)
async def test_calls_in_flight_together_learn_together(takes: tuple[str, ...], server: Server, image: ImageRef) -> None:
    server.script = _takes(*takes)

    async with talk(image, url=server.url) as talking:
        answers = await asyncio.gather(*(talking.ask(slot) for slot in range(6)))

    assert all(answer.text == LIST for answer in answers)


async def test_a_server_that_takes_no_size_at_all_is_given_up(server: Server, image: ImageRef) -> None:
    server.script = _takes("response_format")

    async with talk(image, url=server.url) as talking:
        with pytest.raises(BadRequest, match="max_completion_tokens"):
            await talking.ask()

    assert len(server.asked) == 2


async def test_an_unreadable_image_fails_before_anything_is_sent(server: Server, image: ImageRef) -> None:
    async with talk({**image, "path": "nowhere.png"}, url=server.url) as talking:
        with pytest.raises(BadRequest, match=r"nowhere\.png: there is no such image"):
            await talking.ask()

    assert server.asked == []


def test_a_second_event_loop_works_and_connections_are_closed(server: Server, image: ImageRef) -> None:
    async def once() -> None:
        async with talk(image, url=server.url) as talking:
            await asyncio.gather(*(talking.ask(slot) for slot in range(3)))

    asyncio.run(once())
    asyncio.run(once())
    gc.collect()  # an open connection would warn, and warnings are errors

    assert len(server.asked) == 6


class _State(TypedDict):
    text: str


async def test_inside_of_a_streaming_graph_an_answer_still_comes_whole(server: Server, image: ImageRef) -> None:
    async with talk(image, url=server.url) as talking:

        async def node(state: _State) -> _State:
            return {"text": (await talking.ask()).text}

        graph = StateGraph(_State).add_node(node).add_edge("__start__", "node").compile()
        parts = [part async for part in graph.astream({"text": ""}, stream_mode=["messages", "values"])]

        assert parts[-1] == ("values", {"text": LIST})
        assert not server.asked[0].body.get("stream")
        assert talking.ledger.attempts[0]["input_tokens"] == 1000


def test_openai_itself_is_asked_for_completion_tokens(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-0123456789")
    client: Any = resolve("openai:gpt-4o")

    assert client._dialect._size_field() == "max_completion_tokens"


@pytest.mark.parametrize(
    ("message", "completion"),
    [
        (AIMessage("a", response_metadata={"finish_reason": "stop"}), Completion("a")),
        (AIMessage("a", response_metadata={"finish_reason": "MAX_TOKENS"}), Completion("a", finish_reason="length")),
        (AIMessage("a", response_metadata={"stop_reason": "max_tokens"}), Completion("a", finish_reason="length")),
        (AIMessage("a", response_metadata={"done_reason": "length"}), Completion("a", finish_reason="length")),
        (AIMessage("", response_metadata={"finish_reason": "SAFETY"}), Completion("", finish_reason="refusal")),
        (AIMessage("", additional_kwargs={"refusal": "no"}), Completion("no", finish_reason="refusal")),
        (AIMessage([{"type": "text", "text": "a"}, "b", {"type": "thinking"}]), Completion("ab")),
        (
            AIMessage("a", usage_metadata={"input_tokens": 5, "output_tokens": 2, "total_tokens": 7}),
            Completion("a", Usage(5, 0, 2)),
        ),
        (
            AIMessage("a", response_metadata={"token_usage": {"input_tokens": 5, "output_tokens": 2}}),
            Completion("a", Usage(5, 0, 2)),
        ),
    ],
)
def test_answers_of_other_providers(message: AIMessage, completion: Completion) -> None:
    assert completion_of(message) == completion


def test_dashscope_has_parts_without_a_type() -> None:
    assert TongyiDialect().user("data:x", "text") == [{"image": "data:x"}, {"text": "text"}]
    assert TongyiDialect().user(None, "text") == [{"text": "text"}]
    assert TongyiDialect().system("text") == [{"text": "text"}]
