"""The embedded model's guard, over a tiny random model of the same architecture."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from anomagent.errors import BadRequest, ConfigurationError
from anomagent.models.embedded import EmbeddedClient
from anomagent.models.types import Request
from anomagent.prompts.object_perceiver import render_list
from anomagent.scenes.compose import compose
from anomagent.scenes.draw import draw
from anomagent.scenes.recognise import looks_like_scene
from tests.models.tiny import save_tiny


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_tiny("qwen2_5_vl", tmp_path_factory.mktemp("embedded"))


def _request(path: Path) -> Request:
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else "0" * 64
    return Request(render_list(0), str(path), sha256, 10**6, 8, None)


@pytest.fixture
def scene(tmp_path: Path) -> Request:
    draw(compose(3), 252).save(tmp_path / "scene.png")
    return _request(tmp_path / "scene.png")


@pytest.fixture
def photograph(tmp_path: Path) -> Request:
    smooth = Image.effect_noise((32, 32), 90).resize((300, 240), Image.Resampling.BICUBIC)
    Image.merge("RGB", [smooth, smooth.rotate(90), smooth.rotate(180)]).save(tmp_path / "photograph.jpg")
    return _request(tmp_path / "photograph.jpg")


async def test_a_rendered_scene_is_answered(directory: Path, scene: Request) -> None:
    client = EmbeddedClient(looks_like_scene, directory=directory)
    answer = await client.complete(scene)

    assert answer.usage.input_tokens > 100
    assert answer.usage.output_tokens == 8
    assert client.identity.startswith("embedded:")
    await client.aclose()


async def test_a_photograph_is_refused_with_the_real_choices(directory: Path, photograph: Request) -> None:
    client = EmbeddedClient(looks_like_scene, directory=directory)
    with pytest.raises(BadRequest) as caught:
        await client.complete(photograph)

    message = str(caught.value)
    assert "\n" not in message
    for choice in ("--model openai:gpt-4o", "OPENAI_API_KEY", "--base-url", "--model qwen-vl:"):
        assert choice in message
    await client.aclose()


@pytest.mark.parametrize("scene_check", [looks_like_scene, None], ids=["checked", "unchecked"])
async def test_text_alone_is_refused_with_the_real_choices(
    directory: Path, scene_check: Callable[[Image.Image], bool] | None
) -> None:
    client = EmbeddedClient(scene_check, directory=directory)
    with pytest.raises(BadRequest, match=r"cannot judge texts.*--model openai:gpt-4o.*--base-url") as caught:
        await client.complete(Request(render_list(0), None, "", 10**6, 8, None))

    assert "\n" not in str(caught.value)
    await client.aclose()


async def test_each_image_is_looked_at_once_by_content(directory: Path, scene: Request, photograph: Request) -> None:
    seen: list[tuple[int, int]] = []

    def check(image: Image.Image) -> bool:
        seen.append(image.size)
        return looks_like_scene(image)

    client = EmbeddedClient(check, directory=directory)
    for _ in range(2):
        await client.complete(scene)
        with pytest.raises(BadRequest):
            await client.complete(photograph)

    assert seen == [(252, 252), (300, 240)]
    await client.aclose()


async def test_an_image_that_cannot_be_read_is_a_bad_request(directory: Path, tmp_path: Path) -> None:
    client = EmbeddedClient(looks_like_scene, directory=directory)
    with pytest.raises(BadRequest, match=r"gone\.png: there is no such image"):
        await client.complete(_request(tmp_path / "gone.png"))
    await client.aclose()


async def test_calls_about_several_scenes_run_together(directory: Path, tmp_path: Path) -> None:
    requests: list[Request] = []
    for seed in range(3):
        draw(compose(seed), 168).save(tmp_path / f"{seed}.png")
        requests.append(_request(tmp_path / f"{seed}.png"))
    client = EmbeddedClient(looks_like_scene, directory=directory)

    together = await asyncio.gather(*(client.complete(request) for request in requests))

    assert together == [await client.complete(request) for request in requests]
    await client.aclose()


def test_missing_weights_are_said_before_any_work(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="embedded") as caught:
        EmbeddedClient(looks_like_scene, directory=tmp_path)
    assert "\n" not in str(caught.value)
