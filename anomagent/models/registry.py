"""From a model id (`provider:model`) to a client, with everything that cannot work said before any work."""

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from PIL import Image

from anomagent.errors import ConfigurationError
from anomagent.models.chat import ChatClient
from anomagent.models.dialects import Dialect, OpenAIDialect, TongyiDialect
from anomagent.models.fake import FakeModel
from anomagent.models.types import Client
from anomagent.state.context import AnalysisContext

SceneCheck = Callable[[Image.Image], bool]
"""Whether an image looks like one of the scenes that the embedded model was trained on."""

KEYS = {
    "openai": "OPENAI_API_KEY",
    "anthropic": "ANTHROPIC_API_KEY",
    "google_genai": "GOOGLE_API_KEY",
    "mistralai": "MISTRAL_API_KEY",
    "groq": "GROQ_API_KEY",
    "xai": "XAI_API_KEY",
    "deepseek": "DEEPSEEK_API_KEY",
    "fireworks": "FIREWORKS_API_KEY",
    "together": "TOGETHER_API_KEY",
    "openrouter": "OPENROUTER_API_KEY",
    "tongyi": "DASHSCOPE_API_KEY",
}
"""The environment variable that holds the key of a provider. A provider that is not listed says itself what it misses."""

_OWN = (
    "embedded",
    "qwen-vl:PATH_OR_HUB_ID",
    "fake:SCRIPT.json",
    "tongyi:NAME",
    "openai:NAME (with --base-url: any server)",
)


@dataclass(frozen=True)
class Registry:
    """The `Resolve` of a seam: makes clients, and raises `ConfigurationError` for a model that cannot be used here."""

    scene_check: SceneCheck
    """Guards the embedded model, which knows rendered scenes and nothing else."""
    timeout: float = 180.0
    """Seconds to wait for one answer."""

    def __call__(self, model_id: str, context: AnalysisContext) -> Client:
        """The client for `model_id`, its server and its adapter."""
        provider, _, name = model_id.partition(":")
        match provider:
            case "embedded" if not name:
                return self._embedded()
            case "qwen-vl" if name:
                return self._in_process(name, context.adapter)
            case "fake" if name:
                return FakeModel.from_file(name)
            case "tongyi" if name:
                return self._tongyi(name)
            case "openai" if name:
                return self._openai(name, context.base_url)
            case _ if name:
                return self._through_langchain(provider, name)
            case _:
                raise ConfigurationError(f"{model_id!r} names no model; give provider:model, such as {', '.join(_OWN)}")

    def _embedded(self) -> Client:
        need_extra("embedded", "local", "torch", "transformers")
        from anomagent.models.embedded import EmbeddedClient

        return EmbeddedClient(self.scene_check)

    def _in_process(self, name: str, adapter: str | None) -> Client:
        need_extra("qwen-vl", "local", "torch", "transformers")
        from anomagent.models.qwen_vl import QwenVLClient

        return QwenVLClient(name, adapter)

    def _openai(self, name: str, base_url: str | None) -> Client:
        from langchain_openai import ChatOpenAI

        # Servers of one's own ask for no key, but the client wants one.
        key = _key("openai", f"openai:{name}") if base_url is None else os.environ.get(KEYS["openai"]) or "none"
        identity = f"openai:{name}@{base_url}" if base_url else f"openai:{name}"

        def make(max_tokens: int) -> Any:
            return ChatOpenAI(model=name, base_url=base_url, api_key=key, max_retries=0, timeout=self.timeout)  # pyright: ignore[reportArgumentType]

        dialect = OpenAIDialect(imitation=base_url is not None)
        return ChatClient(identity, make, dialect=dialect, secrets=[key] if len(key) > 8 else [], timeout=self.timeout)

    def _tongyi(self, name: str) -> Client:
        need_extra("tongyi", "tongyi", "langchain_community", "dashscope")
        from langchain_community.chat_models import ChatTongyi

        key = _key("tongyi", f"tongyi:{name}")

        def make(max_tokens: int) -> Any:
            return ChatTongyi(model=name, api_key=key, max_retries=1)  # pyright: ignore[reportCallIssue, reportArgumentType]

        return ChatClient(f"tongyi:{name}", make, dialect=TongyiDialect(), secrets=[key], timeout=self.timeout)

    def _through_langchain(self, provider: str, name: str) -> Client:
        from langchain.chat_models import init_chat_model

        model_id = f"{provider}:{name}"
        secrets = [_key(provider, model_id)] if provider in KEYS else []

        def make(max_tokens: int) -> Any:
            return init_chat_model(
                name, model_provider=provider, max_tokens=max_tokens, max_retries=0, timeout=self.timeout
            )

        try:
            make(16)
        except ImportError as error:
            package = getattr(error, "name", None) or provider
            raise ConfigurationError(
                f"{model_id}: needs a package: pip install langchain-{provider} ({package})"
            ) from None
        except ValueError as error:
            if "nsupported provider" in str(error):
                known = ", ".join((*_OWN, "anthropic:NAME", "google_genai:NAME", "ollama:NAME"))
                raise ConfigurationError(f"{model_id}: unknown provider {provider!r}; known: {known}") from None
            raise ConfigurationError(f"{model_id}: {str(error).splitlines()[0]}") from None
        return ChatClient(model_id, make, dialect=Dialect(), secrets=secrets, timeout=self.timeout)


def need_extra(provider: str, extra: str, *packages: str) -> None:
    """Raise `ConfigurationError` that names the extra, unless all `packages` are installed."""
    missing = [package for package in packages if importlib.util.find_spec(package) is None]
    if missing:
        names = ", ".join(missing)
        raise ConfigurationError(
            f"{provider} needs {names}: pip install 'anomagent[{extra}]', or choose another --model"
        )


def _key(provider: str, model_id: str) -> str:
    """The key of a provider, from the environment alone."""
    variable = KEYS[provider]
    if key := os.environ.get(variable):
        return key
    hint = "; for a server of your own give --base-url" if provider == "openai" else ""
    raise ConfigurationError(f"{model_id}: no API key; set {variable} in the environment or in .env{hint}")
