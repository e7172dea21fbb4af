"""The bounds of talking to models: what makes no sense is said, and what is set arrives."""

from __future__ import annotations

import pytest

from anomagent.config import Settings
from anomagent.errors import ConfigurationError
from anomagent.graph.session import limits_of, resolve_for
from anomagent.models.limits import Limits
from anomagent.state.context import AnalysisContext

BAD_LIMITS = [
    ({"concurrency": 0}, "concurrency must be at least 1"),
    ({"attempts": 0}, "attempts must be at least 1"),
    ({"max_tokens": 100, "max_tokens_cap": 50}, r"max_tokens_cap \(50\) is below max_tokens"),
    ({"requests_per_minute": 0}, "requests_per_minute must be above 0"),
    ({"requests_per_minute": float("inf")}, "leave it out for no limit"),
    ({"tokens_per_minute": -1}, "tokens_per_minute must be above 0"),
    ({"tokens_per_minute": float("nan")}, "tokens_per_minute must be above 0"),
    ({"budget_usd": -0.01}, "budget_usd must be 0 or more"),
    ({"budget_usd": float("nan")}, "budget_usd must be 0 or more"),
]


@pytest.mark.parametrize(("limits", "message"), BAD_LIMITS, ids=str)
def test_limits_that_make_no_sense_are_said(limits: dict[str, int], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        Limits(**limits)


def test_settings_become_limits() -> None:
    settings = Settings(  # pyright: ignore[reportCallIssue]
        concurrency=3, requests_per_minute=7, tokens_per_minute=9000, budget_usd=1.5, retries=2, max_tokens=100
    )
    limits = limits_of(settings)

    assert (limits.concurrency, limits.requests_per_minute, limits.tokens_per_minute) == (3, 7, 9000)
    assert (limits.budget_usd, limits.attempts, limits.max_tokens) == (1.5, 3, 100)


TWO = {"base_url": "http://127.0.0.1:1/v1", "more_base_urls": ["http://127.0.0.1:2/v1"]}


async def test_further_servers_reach_the_client(monkeypatch: pytest.MonkeyPatch) -> None:
    client = resolve_for(Settings(model="openai:m", **TWO))(  # type: ignore[arg-type]
        "openai:m",
        AnalysisContext(model="openai:m", base_url=TWO["base_url"]),  # type: ignore[arg-type]
    )
    assert client.identity == "openai:m@http://127.0.0.1:1/v1"
    assert list(client.clients) == ["http://127.0.0.1:1/v1", "http://127.0.0.1:2/v1"]  # type: ignore[attr-defined]
    await client.aclose()


async def test_further_servers_are_for_the_roles_that_ask_openai_models(tmp_path: object) -> None:
    script = f"{tmp_path}/script.json"
    with open(script, "w") as file:
        file.write('{"rules": []}')
    mixed = AnalysisContext(model="openai:m", scene_scanner=f"fake:{script}")
    assert resolve_for(Settings(**TWO))(f"fake:{script}", mixed).identity.startswith("fake:")  # type: ignore[arg-type]

    with pytest.raises(ConfigurationError, match="more_base_urls are servers of models named openai:NAME"):
        resolve_for(Settings(**TWO))(f"fake:{script}", AnalysisContext(model=f"fake:{script}"))  # type: ignore[arg-type]
