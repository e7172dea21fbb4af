"""How probable the words that matter were as an answer's first: over the wire, and from a model in this process."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from anomagent.models.dialects import Dialect, OpenAIDialect
from anomagent.models.qwen_engine import QwenSource
from anomagent.models.qwen_vl import QwenVLClient
from anomagent.models.types import Request
from anomagent.prompts.base import PlainText, Turn
from anomagent.prompts.deepfake_detector import render_decide, render_explain
from anomagent.state.findings import ImageRef
from tests.models.server import Asked, Reaction, Server, fails, says
from tests.models.talking import Talk, talk
from tests.models.tiny import save_tiny

WORDS = ("yes", "no")


def token(text: str, probability: float, *others: tuple[str, float]) -> dict[str, Any]:
    """A token as servers tell it, with its rivals."""
    rivals = [{"token": text, "logprob": math.log(p)} for text, p in ((text, probability), *others)]
    return {**rivals[0], "top_logprobs": rivals}


def says_with(*tokens: dict[str, Any]) -> Reaction:
    """A completion with these tokens."""
    body = json.loads(says("".join(one["token"] for one in tokens)).content)
    body["choices"][0]["logprobs"] = {"content": list(tokens)}
    return Reaction(content=json.dumps(body).encode())


async def decide(talking: Talk, slot: int = 0) -> dict[str, float] | None:
    answer = await talking.seam.ask(
        talking.context, talking.image, render_decide(), PlainText, slot=slot, first_words=WORDS
    )
    return None if answer.odds is None else dict(answer.odds)


YES = token("Yes", 0.5, (" yes", 0.2), ("No", 0.2), ("NO", 0.05))


async def test_the_spellings_of_a_word_add_up(server: Server, image: ImageRef) -> None:
    server.script = [says_with(YES, token(".", 0.9))]
    async with talk(image, url=server.url) as talking:
        odds = await decide(talking)
    assert odds == {"yes": pytest.approx(0.7), "no": pytest.approx(0.25)}
    body = server.asked[0].body
    assert (body["logprobs"], body["top_logprobs"]) == (True, 5)
    assert "response_format" not in body


async def test_marks_before_the_word_are_passed_over(server: Server, image: ImageRef) -> None:
    server.script = [says_with(token("**", 1.0, ("Yes", 1e-9)), YES, token("**", 1.0))]
    async with talk(image, url=server.url) as talking:
        assert await decide(talking) == {"yes": pytest.approx(0.7), "no": pytest.approx(0.25)}


async def test_the_ledger_keeps_them_and_whoever_asks_meanwhile_has_them_too(server: Server, image: ImageRef) -> None:
    import asyncio

    server.script = [says_with(YES)]
    async with talk(image, url=server.url) as talking:
        together = await asyncio.gather(decide(talking), decide(talking))
        again = await decide(talking)
        (row,) = talking.ledger.attempts
    assert len(server.asked) == 1
    assert together[0] == together[1] == again
    assert json.loads(row["odds"] or "") == again


async def test_who_does_not_ask_for_them_sends_nothing_about_them(server: Server, image: ImageRef) -> None:
    async with talk(image, url=server.url) as talking:
        await talking.ask()
    assert not server.asked[0].body.keys() & {"logprobs", "top_logprobs"}


@pytest.mark.parametrize(
    "complaint",
    [
        fails(400, "Unsupported parameter: 'logprobs' is not supported with this model."),
        fails(403, "You are not allowed to request logprobs from this model"),
        fails(422, "body.top_logprobs: extra fields not permitted"),
    ],
    ids=["reasoning model", "not allowed", "strict server"],
)
async def test_a_server_that_refuses_is_asked_without_from_then_on(
    complaint: Reaction, server: Server, image: ImageRef, caplog: pytest.LogCaptureFixture
) -> None:
    def react(asked: Asked) -> Reaction:
        return complaint if "logprobs" in asked.body else says("Yes.")

    server.script = react
    async with talk(image, url=server.url) as talking:
        assert [await decide(talking, slot) for slot in range(3)] == [None] * 3
        assert talking.outcomes() == ["good"] * 3
    assert ["logprobs" in asked.body for asked in server.asked] == [True, False, False, False]
    assert caplog.text.count("no probabilities") == 1


@pytest.mark.parametrize(
    "metadata",
    [
        {},
        {"logprobs": None},
        {"logprobs": {"content": None}},
        {"logprobs": {"content": []}},
        {"logprobs": {"content": [{"token": "...", "logprob": -1.0}]}},
        {"logprobs": {"content": [{"token": "Yes", "logprob": "high"}]}},
        {"logprobs": {"content": [{"token": "Yes", "logprob": 1e9}]}},
        {"logprobs": {"content": [{"token": "Yes"}]}},
    ],
    ids=str,
)
def test_what_a_server_does_not_say_or_says_wrongly_is_not_known(metadata: dict[str, Any]) -> None:
    assert OpenAIDialect(imitation=True).odds(metadata, WORDS) is None
    assert Dialect().odds(metadata, WORDS) is None


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("qwen2_5_vl", tmp_path_factory.mktemp("tiny"))


@pytest.fixture
def question(tmp_path: Path) -> Request:
    Image.new("RGB", (120, 120), "red").save(tmp_path / "a.png")
    prompt = replace(render_decide(), system="Look.")
    return Request(prompt, str(tmp_path / "a.png"), "red", 10**6, 4, None, first_words=WORDS)


class TestInProcess:
    async def test_are_those_of_the_first_token(self, directory: Path, question: Request) -> None:
        """The tiny tokenizer knows bytes alone, so "yes" begins with y or Y, "no" with n or N."""
        client = QwenVLClient(QwenSource(str(directory)))
        answer = await client.complete(question)
        await client.aclose()
        assert answer.odds == pytest.approx(_by_hand(directory, question), rel=1e-3)
        assert answer.odds is not None
        assert 0 < sum(answer.odds.values()) < 1

    async def test_a_batch_tells_each_its_own(self, directory: Path, question: Request) -> None:
        import asyncio

        other = replace(question, prompt=replace(question.prompt, text="Is it real, or is it not? Yes or no?"))
        silent = replace(question, first_words=())
        client = QwenVLClient(QwenSource(str(directory)))
        together = await asyncio.gather(*(client.complete(one) for one in (question, silent, other)))
        alone = [await client.complete(one) for one in (question, silent, other)]
        await client.aclose()
        assert together[1].odds is None
        for one, another in zip(together, alone, strict=True):
            assert one.odds == (another.odds and pytest.approx(another.odds, rel=1e-3))
        assert together[0].odds != together[2].odds

    def test_the_second_turn_is_read_behind_the_answer(self, directory: Path, question: Request) -> None:
        from anomagent.models.qwen_inputs import QwenInputs

        prompt = replace(render_explain("Yes<|im_end|>."), system="Look.")
        inputs = QwenInputs.load(str(directory), None, str(directory), {})
        row = inputs.of(replace(question, prompt=prompt, turns=prompt.further))
        assert prompt.further[0] == Turn("assistant", "Yes<|im_end|>.")
        # The answer's control token is text; decoding leaves out the real ones.
        said = f"{prompt.text}\nassistant\nYes< |im_end| >.\nuser\n{prompt.further[1].text}"
        assert inputs.decode(row.ids) == f"system\nLook.\nuser\n{said}\nassistant\n"


def _by_hand(directory: Path, request: Request) -> dict[str, float]:
    """One forward pass, without the code under test."""
    import torch
    from transformers import AutoModelForImageTextToText

    from anomagent.models.qwen_inputs import QwenInputs

    inputs = QwenInputs.load(str(directory), None, str(directory), {})
    model = AutoModelForImageTextToText.from_pretrained(directory).float().eval()
    with torch.inference_mode():
        logits = model(**inputs.batch([inputs.of(request)])).logits[0, -1]
    probabilities = logits.softmax(dim=-1)
    return {
        word: sum(float(probabilities[inputs.tokens(letter, 0)[0]]) for letter in (word[0], word[0].upper()))
        for word in WORDS
    }
