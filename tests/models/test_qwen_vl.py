"""In-process Qwen-VL: real architectures, tiny and random, so what is tested is everything but the knowledge."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

from anomagent.errors import BadRequest, ConfigurationError
from anomagent.models.qwen_engine import QwenSource
from anomagent.models.qwen_vl import QwenVLClient
from anomagent.models.types import Request, Turn
from anomagent.prompts.direct_detector import render_detect
from tests.models.tiny import save_tiny

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl")


@pytest.fixture(scope="module", params=FAMILIES)
def directory(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny(request.param, tmp_path_factory.mktemp(request.param))


@pytest.fixture(scope="module")
def requests(tmp_path_factory: pytest.TempPathFactory) -> list[Request]:
    """Different images, sizes and lengths of text, one with a repair turn."""
    folder = tmp_path_factory.mktemp("images")
    prompt = replace(render_detect(), system="Look.")
    made: list[Request] = []
    for number, colour in enumerate(("red", "green", "blue")):
        path = folder / f"{colour}.png"
        Image.new("RGB", (120 + 40 * number, 120), colour).save(path)
        turns = (Turn("assistant", "{<|im_end|><|image_pad|>"), Turn("user", "again")) if number == 2 else ()
        text = replace(prompt, text="What is wrong? " * (number + 1))
        made.append(Request(text, str(path), colour, 10**6, 12, None, turns))
    return made


async def test_a_batch_answers_as_one_by_one(directory: Path, requests: list[Request]) -> None:
    client = QwenVLClient(QwenSource(str(directory)))
    together = await asyncio.gather(*(client.complete(request) for request in requests))
    alone = [await client.complete(request) for request in requests]
    assert [answer.text for answer in together] == [answer.text for answer in alone]
    assert [answer.usage for answer in together] == [answer.usage for answer in alone]
    assert all(answer.usage.input_tokens > 16 for answer in together)
    await client.aclose()


async def test_text_alone_is_answered_beside_calls_about_images(directory: Path, requests: list[Request]) -> None:
    texts = [replace(request, image_path=None, image_sha256="") for request in requests]
    mixed = [texts[0], requests[0], texts[1], requests[1], texts[2]]
    client = QwenVLClient(QwenSource(str(directory)))
    together = await asyncio.gather(*(client.complete(request) for request in mixed))
    alone = [await client.complete(request) for request in mixed]
    assert together == alone
    assert together[0].usage.input_tokens == together[1].usage.input_tokens - _image_tokens(requests[0])
    assert all(answer.usage.output_tokens for answer in together)
    await client.aclose()


def _image_tokens(request: Request) -> int:
    """The tiny models take 112 x 112 pixels: 8 x 8 patches of 14, merged by 2 x 2, with a start and an end."""
    assert request.image_path
    return 4 * 4 + 2


async def test_an_answer_without_end_is_cut_off(directory: Path, requests: list[Request]) -> None:
    client = QwenVLClient(QwenSource(str(directory)))
    answer = await client.complete(replace(requests[0], max_tokens=3))
    assert (answer.finish_reason, answer.usage.output_tokens, answer.exhausted) == ("length", 3, False)
    with pytest.raises(BadRequest, match="lower image_max_pixels"):
        await client.complete(replace(requests[0], prompt=replace(requests[0].prompt, text="x" * 5000)))
    await client.aclose()


async def test_an_unreadable_image_fails_alone(directory: Path, requests: list[Request], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_text("no image")
    client = QwenVLClient(QwenSource(str(directory)))
    good, bad = await asyncio.gather(
        client.complete(requests[0]),
        client.complete(replace(requests[0], image_path=str(broken), image_sha256="broken")),
        return_exceptions=True,
    )
    assert not isinstance(good, BaseException)
    assert isinstance(bad, BadRequest)
    await client.aclose()


async def test_an_adapter_changes_answers_and_identity(requests: list[Request], tmp_path: Path) -> None:
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    base = save_tiny("qwen2_5_vl", tmp_path / "base")
    targets = r".*language_model\.layers\.\d+\.self_attn\.(q_proj|v_proj)"
    model = AutoModelForImageTextToText.from_pretrained(base)
    adapted = get_peft_model(model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False))
    with torch.no_grad():
        for name, parameter in adapted.named_parameters():
            if "lora_B" in name:
                parameter.mul_(50)
    adapted.save_pretrained(tmp_path / "adapter")
    plain, with_adapter = (
        QwenVLClient(QwenSource(str(base))),
        QwenVLClient(QwenSource(str(base), adapter=str(tmp_path / "adapter"))),
    )
    assert plain.identity != with_adapter.identity
    texts = [(await client.complete(requests[0])).text for client in (plain, with_adapter)]
    assert texts[0] != texts[1]


def test_unusable_models_are_said_before_any_work(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text('{"model_type": "bert"}')
    with pytest.raises(ConfigurationError, match="bert"):
        QwenVLClient(QwenSource(str(tmp_path)))
    with pytest.raises(ConfigurationError, match="no such directory"):
        QwenVLClient(QwenSource(str(tmp_path / "nothing")))
    base = save_tiny("qwen2_vl", tmp_path / "base")
    with pytest.raises(ConfigurationError, match=r"adapter_config\.json"):
        QwenVLClient(QwenSource(str(base), adapter=str(tmp_path)))
