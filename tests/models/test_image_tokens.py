"""Image tokens: the examples of the documentation, and laws that hold for every size."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from anomagent.models.image_tokens import image_tokens, scaled_size
from anomagent.models.imaging import load_rgb

SIDE = st.integers(32, 6_000)
MODELS = (
    "openai:gpt-4o",
    "openai:gpt-4.1-mini",
    "openai:Qwen/Qwen2.5-VL-7B-Instruct",
    "openai:Qwen/Qwen3-VL-8B-Instruct",
    "anthropic:claude-sonnet-4-5",
    "google_genai:gemini-2.5-flash",
    "embedded",
)


@dataclass
class Case:
    id: str
    model: str
    width: int
    height: int
    tokens: int


CASES = [
    # 1024 -> 768 squared, 2 x 2 tiles: 85 + 4 * 170; OpenAI's own example.
    Case("tiles-square", "openai:gpt-4o", 1024, 1024, 765),
    # 2048 x 4096 -> 1024 x 2048 -> 768 x 1536, 2 x 3 tiles: 85 + 6 * 170; OpenAI's own example.
    Case("tiles-tall", "openai:gpt-4o-2024-08-06", 2048, 4096, 1105),
    # Billed, as reported in OpenAI's forum: 4 x 2 tiles and 4 x 1 tiles.
    Case("tiles-just-over", "openai:gpt-4.1", 2049, 513, 85 + 8 * 170),
    Case("tiles-just-under", "openai:gpt-4.1", 2050, 513, 85 + 4 * 170),
    Case("tiles-mini", "openai:gpt-4o-mini", 512, 512, 2833 + 5667),
    Case("tiles-gpt-5", "openai:gpt-5", 1024, 1024, 70 + 4 * 140),
    Case("tiles-o3", "openai:o3", 1024, 1024, 75 + 4 * 150),
    # 1800 x 2400 shrinks to 33 x 44 patches, 1452; OpenAI's own example, here times 1.62 = 2352.24.
    Case("patches-shrunk", "openai:gpt-4.1-mini", 1800, 2400, 2353),
    # 32 x 32 patches: 1024 * 2.46 = 2519.04, and 1024 * 1.72 = 1761.28.
    Case("patches-nano", "openai:gpt-4.1-nano", 1024, 1024, 2520),
    Case("patches-o4-mini", "openai:o4-mini", 1024, 1024, 1762),
    # 1024 / 28 = 36.6 -> 37 cells a side; 1024 / 32 = 32.
    Case("cells-28", "openai:Qwen/Qwen2.5-VL-7B-Instruct", 1024, 1024, 37 * 37),
    Case("cells-28-ollama", "ollama:qwen2.5vl:7b", 1024, 1024, 37 * 37),
    Case("cells-32", "qwen-vl:Qwen/Qwen3-VL-8B-Instruct", 1024, 1024, 32 * 32),
    # At least 64 cells of 32 pixels: 64 x 64 grows to 256 x 256.
    Case("cells-grown", "openai:Qwen3-VL-4B", 64, 64, 8 * 8),
    # 504 x 504 shrinks to at most 28,424 pixels: 168 x 168, 6 x 6 cells.
    Case("embedded", "embedded", 504, 504, 36),
    Case("claude", "anthropic:claude-sonnet-4-5-20250929", 750, 750, 750),
    # Over 1600 tokens, so scaled down to them.
    Case("claude-large", "anthropic:claude-opus-4-1", 1500, 1500, 1600),
    Case("gemini-small", "google_genai:gemini-2.5-flash", 384, 384, 258),
    Case("gemini-tiles", "google_genai:gemini-2.0-flash", 1024, 700, 2 * 258),
    # As clients name themselves: the server's address is no part of the model's name.
    Case("tiles-elsewhere", "openai:gpt-4o-mini@https://proxy.example/v1", 1024, 1024, 2833 + 4 * 5667),
    Case("scripted", "fake:script.json", 1024, 1024, 0),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_documented_examples(case: Case) -> None:
    assert image_tokens(case.model, case.width, case.height).tokens == case.tokens


@pytest.mark.parametrize("model", ["openai:gpt-9", "openai:gpt-5.2", "tongyi:qwen-vl-max", "anthropic:claude-opus-4-7"])
def test_an_unknown_rule_is_said_so(model: str) -> None:
    unknown = image_tokens(model, 100, 100)
    assert unknown.tokens is None
    assert model in unknown.rule


def test_an_image_that_qwen_refuses_has_no_tokens() -> None:
    assert image_tokens("openai:Qwen2.5-VL-7B", 10_000, 30).tokens is None


@given(width=SIDE, height=SIDE)
def test_gpt_4o_stays_within_its_tiles(width: int, height: int) -> None:
    """After scaling the sides are at most 768 and 2048 pixels: 2 x 4 tiles."""
    tokens = image_tokens("openai:gpt-4o", width, height).tokens
    assert tokens is not None
    assert 85 + 170 <= tokens <= 85 + 8 * 170
    assert (tokens - 85) % 170 == 0


@given(width=SIDE, height=SIDE)
def test_patches_are_capped(width: int, height: int) -> None:
    tokens = image_tokens("openai:gpt-4.1-mini", width, height).tokens
    assert tokens is not None
    assert 2 <= tokens <= 2489  # ceil(1.62) and ceil(1536 * 1.62)


@given(width=SIDE, height=SIDE)
def test_cells_stay_within_their_bounds(width: int, height: int) -> None:
    small, large = (image_tokens(f"openai:{name}", width, height).tokens for name in ("Qwen3-VL-8B", "Qwen2.5-VL-7B"))
    if max(width, height) <= 200 * min(width, height):
        assert 64 <= (small or 0) <= 16_384
        assert 1 <= (large or 0) <= 16_384


@given(width=SIDE, height=SIDE, model=st.sampled_from(MODELS))
def test_a_turned_image_costs_the_same(width: int, height: int, model: str) -> None:
    assert image_tokens(model, width, height).tokens == image_tokens(model, height, width).tokens


@given(side=st.integers(32, 3_000), more=st.integers(0, 1_000), name=st.sampled_from(["gpt-4o", "Qwen3-VL-8B"]))
def test_a_larger_square_never_costs_less(side: int, more: int, name: str) -> None:
    smaller, larger = (image_tokens(f"openai:{name}", n, n).tokens or 0 for n in (side, side + more))
    assert smaller <= larger


@given(width=st.integers(1, 200), height=st.integers(1, 200), most=st.integers(784, 20_000))
def test_the_scaled_size_is_that_of_the_sent_image(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, most: int
) -> None:
    path: Path = tmp_path_factory.getbasetemp() / "scaled.bmp"
    Image.new("RGB", (width, height)).save(path)
    assert scaled_size(width, height, most) == load_rgb(path, most).size
