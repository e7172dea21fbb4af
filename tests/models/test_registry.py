"""Model ids: what they resolve to, and what is said where they cannot work."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import pytest

from anomagent.errors import ConfigurationError
from anomagent.models.registry import resolve

VARIABLES = ("OPENAI_API_KEY", "OPENAI_BASE_URL", "OPENAI_API_BASE", "ANTHROPIC_API_KEY", "DASHSCOPE_API_KEY")


@pytest.fixture(autouse=True)
def no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(autouse=True)
def no_extras(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed here, these packages are missing."""
    missing = {"langchain_anthropic", "langchain_ollama", "dashscope"}
    monkeypatch.setattr(
        "anomagent.models.registry.find_spec", lambda name: None if name in missing else find_spec(name)
    )


@dataclass(frozen=True)
class Case:
    model: str
    says: tuple[str, ...]
    base_url: str | None = None
    more: tuple[str, ...] = ()


ONE, TWO = "http://localhost:8000/v1", "http://localhost:8001/v1"
CASES = [
    Case("gpt-4o", ("provider:model",)),
    Case("nonsense:model", ("unknown provider", "anthropic", "qwen-vl", "openai")),
    Case("qwen2.5vl:7b", ("openai:qwen2.5vl:7b",), "http://localhost:11434/v1"),
    Case("openai:gpt-4o", ("OPENAI_API_KEY", "base-url")),
    Case("openai:gpt-4o", ("URL",), "localhost:8000"),
    Case("anthropic:claude-sonnet-4-5", ("pip install", "anomagent[anthropic]")),
    Case("ollama:llava", ("anomagent[ollama]",)),
    Case("tongyi:qwen-vl-max", ("anomagent[tongyi]",)),
    Case("qwen-vl:./nowhere", ("no such directory",)),
    Case("fake:nowhere.json", ("nowhere.json",)),
    Case("openai:m", ("base_url", "'http://['"), "http://["),
    Case("openai:m", ("more_base_urls", "needs base_url"), None, (TWO,)),
    Case("openai:m", ("more_base_urls", "localhost:8001"), ONE, ("localhost:8001",)),
    Case("openai:m", ("more_base_urls", "URL"), ONE, ("http://localhost:port/v1",)),
    Case("openai:m", ("more_base_urls", f"{ONE} twice"), ONE, (TWO, "http://LOCALHOST:8000/v1/")),
    Case("openai:m", ("more_base_urls", "user or password"), ONE, ("http://u:secret@localhost:8001/v1",)),
    Case("openai:m", ("more_base_urls", "user or password"), ONE, ("ftp://u:secret@localhost:8001/v1",)),
    Case("embedded", ("more_base_urls", "openai:NAME", "embedded"), ONE, (TWO,)),
    Case("anthropic:claude-sonnet-4-5", ("more_base_urls", "openai:NAME"), None, (TWO,)),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.model}@{case.base_url}{case.more}")
def test_what_cannot_work_is_said_in_one_line(case: Case) -> None:
    with pytest.raises(ConfigurationError) as caught:
        resolve(case.model, base_url=case.base_url, more_base_urls=case.more)
    message = str(caught.value)
    assert "\n" not in message
    assert "secret" not in message
    for word in case.says:
        assert word in message


async def test_an_address_is_part_of_the_identity_and_its_password_is_not() -> None:
    client = resolve("openai:m", base_url="http://user:hunter2secret@localhost:8000/v1")
    assert client.identity == "openai:m@http://localhost:8000/v1"
    await client.aclose()


async def test_further_servers_change_no_identity() -> None:
    alone, pool = resolve("openai:m", base_url=ONE), resolve("openai:m", base_url=ONE, more_base_urls=[TWO])
    assert alone.identity == pool.identity == f"openai:m@{ONE}"
    for client in (alone, pool):
        await client.aclose()


async def test_an_openai_address_in_the_environment_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:9/v1")
    client = resolve("openai:m")
    assert client.identity.endswith("@http://localhost:9/v1")
    await client.aclose()


async def test_a_script_is_known_by_its_content(tmp_path: Path) -> None:
    path = tmp_path / "script.json"
    identities: list[str] = []
    for count in (1, 2):
        path.write_text(f'{{"rules": [{{"says": [{{"reply": {{"count": {count}}}}}]}}]}}')
        identities.append(resolve(f"fake:{path}").identity)
    assert len(set(identities)) == 2


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys, anomagent.models.registry, anomagent.models.seam, anomagent.models.fake;"
        "heavy = {'torch', 'transformers', 'langchain', 'langchain_openai', 'openai'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
