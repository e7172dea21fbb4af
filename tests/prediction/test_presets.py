"""Every system of Table 1: the request that each is really sent, to be read in the diff of its golden file."""

from __future__ import annotations

import base64
import io
import json
import re
import shlex
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import openai
import pytest
from PIL import Image

from anomagent.benchmark.published import published_table
from anomagent.config import load_settings
from anomagent.errors import ConfigurationError
from anomagent.prediction.images import choose_images
from anomagent.prediction.presets import Preset, find_preset, read_presets
from anomagent.prediction.question import Question
from anomagent.prediction.runner import Run
from anomagent.state.classic_text import NO_ANOMALIES
from tests.golden import assert_golden
from tests.models.server import Server, fails, says

GOLDEN = Path(__file__).parent / "golden"
PRESETS = list(read_presets().values())


@pytest.fixture
def addresses(server: Server, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Where requests were meant to go."""
    asked: list[str] = []

    class Rerouted(openai.DefaultAsyncHttpxClient):
        """Whatever address is meant, the loopback server gets it."""

        def __init__(self, **options: Any) -> None:
            options["verify"] = False  # reading certificates takes most of the time
            super().__init__(**options)

        async def send(self, request: Any, **options: Any) -> Any:
            asked.append(str(request.url))
            where = urlsplit(f"{server.url}/chat/completions")
            request.url = request.url.copy_with(
                scheme="http", host=where.hostname, port=where.port, raw_path=where.path.encode()
            )
            return await super().send(request, **options)

    monkeypatch.setattr(openai, "DefaultAsyncHttpxClient", Rerouted)
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-a-real-key")
    return asked


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
async def test_the_recorded_requests(preset: Preset, server: Server, addresses: list[str], tmp_path: Path) -> None:
    def react(asked: Any) -> Any:
        refused = [name for name in preset.refuses if name in asked.body]
        if refused:
            return fails(400, f"Unsupported parameter: '{refused[0]}'")
        return says("Yes." if asked.texts[1:] == [] and "AI-generated" in str(asked.body) else NO_ANOMALIES)

    server.script = react
    # More than any preset sends.
    Image.new("RGB", (1700, 1200), "teal").save(tmp_path / "a.png")
    items, _ = choose_images([str(tmp_path / "a.png")])
    settings = load_settings(**preset.settings(), workspace=tmp_path / "workspace")
    for task in ("anomalies", "deepfake"):
        question = Question(task, odds="logprobs" not in preset.refuses)  # type: ignore[arg-type]
        run = Run(settings, question, items, "mine")
        await run.go()
        assert run.tally.failed == 0, run.tally.failures
    bodies = [_without_pixels(asked.body, preset.max_pixels) for asked in server.asked]
    recorded = [{"url": url, "body": body} for url, body in zip(addresses, bodies, strict=True)]
    assert len(recorded) == 3, "one turn, and two"
    assert_golden(GOLDEN / f"{preset.name}.json", json.dumps(recorded, indent=1) + "\n")


def _without_pixels(body: dict[str, Any], most: int) -> dict[str, Any]:
    """The request with the image's size in place of its bytes."""
    part = body["messages"][1]["content"][0]["image_url"]
    kind, _, data = part["url"].partition(";base64,")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert image.width * image.height <= most
    part["url"] = f"{kind};base64,<{image.width} x {image.height}>"
    return body


def test_every_row_of_table_1_has_one() -> None:
    table = published_table("distilbert-base-uncased")
    assert table is not None
    assert sorted(preset.row for preset in PRESETS) == sorted(table.rows)


@pytest.mark.parametrize("preset", PRESETS, ids=lambda preset: preset.name)
def test_a_server_is_told_the_model_that_is_asked_for(preset: Preset) -> None:
    if preset.serve is None:
        assert preset.key or preset.base_url
        return
    words = shlex.split(preset.serve)
    asked = preset.model.removeprefix("openai:")
    assert any(re.fullmatch(rf"{re.escape(asked)}(=.*)?", word) for word in words)
    assert all(json.loads(word) for word in words if word.startswith("{"))
    bounds = [json.loads(word).get("max_pixels") for word in words if "max_pixels" in word]
    assert bounds in ([], [preset.max_pixels]), "the server's bound is the client's"


def test_names_are_found_in_any_case_by_row_and_near() -> None:
    assert find_preset("GPT-4O").name == "gpt-4o"
    assert find_preset("InternVL2.5-8B").name == "internvl2.5-8b"
    with pytest.raises(ConfigurationError, match=r"no preset 'qwen2.5-vl-7'; did you mean qwen2\.5-vl-7b"):
        find_preset("qwen2.5-vl-7")
    with pytest.raises(ConfigurationError, match=r"known: gpt-4o, "):
        find_preset("xyzzy")


def test_a_parameter_that_is_refused_is_said_before_anything_is_sent() -> None:
    preset = find_preset("gpt-o3")
    preset.check(load_settings(**preset.settings()))
    with pytest.raises(ConfigurationError, match="gpt-o3 refuses a temperature"):
        preset.check(load_settings(**{**preset.settings(), "temperature": 0.5}))


def test_another_address_goes_before_the_shipped_one() -> None:
    assert find_preset("qwen2-vl-7b").settings()["base_url"] == "http://127.0.0.1:8000/v1"
    assert find_preset("qwen2-vl-7b").settings("http://gpu:9000/v1")["base_url"] == "http://gpu:9000/v1"
    assert find_preset("gpt-4o").settings()["base_url"] is None
