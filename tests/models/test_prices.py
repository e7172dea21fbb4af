from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.errors import ConfigurationError
from anomagent.models.prices import FREE, Price, Prices
from anomagent.models.types import Usage

SHIPPED = Prices.load()


def test_cached_tokens_are_a_part_of_the_input() -> None:
    price = Price(input=2.0, cached=0.5, output=10.0)

    # 600 fresh at 2, 400 cached at 0.5 and 50 written at 10 dollars a million: 1200 + 200 + 500 millionths.
    assert price.usd(Usage(1000, 400, 50)) == pytest.approx(1900e-6)
    assert Price(2.0, 10.0).usd(Usage(1000, 400, 50)) == pytest.approx(2500e-6)
    assert price.usd(Usage(100, 400, 0)) == pytest.approx(50e-6), "a server that counts more cached than it got"
    assert FREE.usd(Usage(1000, 400, 50)) == 0


@pytest.mark.parametrize(
    ("model_id", "same_as"),
    [
        ("openai:gpt-4o-2024-08-06", "openai:gpt-4o"),
        ("openai:GPT-4o", "openai:gpt-4o"),
        ("openrouter:openai/gpt-4o", "openai:gpt-4o"),
        ("anthropic:claude-sonnet-4-20250514", "anthropic:claude-sonnet-4"),
        ("google_genai:gemini-2.5-flash-preview-05-20", "google_genai:gemini-2.5-flash"),
        ("openai:Qwen/Qwen2.5-VL-7B-Instruct", "openai:qwen2.5-vl-7b-instruct"),
        ("tongyi:qwen-vl-max-latest", "tongyi:qwen-vl-max"),
    ],
)
def test_snapshots_and_owners_cost_what_the_model_costs(model_id: str, same_as: str) -> None:
    price = SHIPPED.of(same_as)

    assert price is not None
    assert SHIPPED.of(model_id) == price


def test_relatives_are_not_confused() -> None:
    names = ("gpt-4o", "gpt-4o-mini", "gpt-4.1", "gpt-4.1-mini")
    assert len({SHIPPED.of(f"openai:{name}") for name in names}) == 4
    assert SHIPPED.of("openai:gpt-4o-audio") is None
    assert SHIPPED.of("openai:unheard-of") is None
    assert SHIPPED.of("openai:") is None


@pytest.mark.parametrize("model_id", ["embedded", "fake:script.json", "ollama:llava", "qwen-vl:Qwen/Qwen2.5-VL-7B"])
def test_what_runs_here_is_free(model_id: str) -> None:
    assert SHIPPED.of(model_id) == FREE


@pytest.mark.parametrize(
    ("url", "free"),
    [
        ("http://localhost:8000/v1", True),
        ("http://127.0.0.1:8000/v1", True),
        ("http://[::1]:8000/v1", True),
        ("https://localhost.example.com/v1", False),
        ("https://gateway.example.com/v1", False),
        (None, False),
    ],
)
def test_a_server_on_this_machine_is_free(url: str | None, free: bool) -> None:
    assert (SHIPPED.of("openai:gpt-4o", url) == FREE) == free


def test_a_table_of_ones_own_goes_first(tmp_path: Path) -> None:
    path = tmp_path / "prices.toml"
    path.write_text('[models]\n"gpt-4o" = {input = 1, output = 2}\n"fake:a" = {input = 3, output = 4}\n')
    prices = Prices.load(path)

    assert prices.of("openai:gpt-4o", "http://localhost/v1") == Price(1, 2)
    assert prices.of("fake:a") == Price(3, 4)
    assert prices.of("openai:gpt-4o-mini") == SHIPPED.of("openai:gpt-4o-mini")


@pytest.mark.parametrize(
    "text",
    [
        "[models",
        'models = "none"',
        "[models]\nx = 3",
        "[models]\nx = {input = 1}",
        "[models]\nx = {input = 1, output = 2, extra = 3}",
        '[models]\nx = {input = "1", output = 2}',
        "[models]\nx = {input = -1, output = 2}",
        "[models]\nx = {input = nan, output = 2}",
        "[models]\nx = {input = true, output = 2}",
        "[models]\nx = {input = 1, output = 2, cached = inf}",
        b"[models]\n# \xff",
        None,
    ],
)
def test_what_is_no_price_table_is_said_with_the_file(text: str | bytes | None, tmp_path: Path) -> None:
    path = tmp_path / "mine.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())

    with pytest.raises(ConfigurationError, match=r"mine\.toml") as caught:
        Prices.load(path)
    assert "\n" not in str(caught.value)
