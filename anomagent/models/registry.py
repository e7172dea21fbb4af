"""From a model id to a client. Whatever cannot work is said here, before any work or money is spent."""

import os
from collections.abc import Collection, Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit, urlunsplit

from pydantic import SecretStr, ValidationError

from anomagent.errors import ConfigurationError
from anomagent.models.chat import ChatClient
from anomagent.models.dialects import OpenAIDialect, TongyiDialect
from anomagent.models.endpoints import Endpoints
from anomagent.models.fake import FakeModel
from anomagent.models.imaging import DataUrls
from anomagent.models.provider_errors import scrub
from anomagent.models.providers import CHAT
from anomagent.models.types import Client

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel

    from anomagent.models.embedded import SceneCheck

OWN = ("embedded", "qwen-vl:PATH_OR_HUB_ID", "fake:SCRIPT.json", "tongyi:NAME", "openai:NAME")
KEYS = {"openai": "OPENAI_API_KEY", "tongyi": "DASHSCOPE_API_KEY"} | {
    name: provider.keys[0] for name, provider in CHAT.items() if provider.keys
}
"""The environment variable that holds the key of a provider."""
_SHORTEST_SECRET = 8
"""Shorter keys are placeholders of local servers; taking them out of messages would garble words."""


def resolve(
    model_id: str,
    *,
    base_url: str | None = None,
    more_base_urls: Sequence[str] = (),
    adapter: str | None = None,
    scene_check: "SceneCheck | None" = None,
    timeout: float = 180.0,
) -> Client:
    """The client of `model_id`: `embedded`, `qwen-vl:PATH_OR_HUB_ID`, `tongyi:NAME`, `fake:SCRIPT`, or `provider:NAME`.

    `base_url` is the OpenAI-compatible server behind `openai:` ids; `more_base_urls` serve the same model and are used
    in turn with it, under its identity (see `Endpoints`). `adapter` is a LoRA directory for models in process,
    `timeout` the seconds that a server may take for one answer. Imports what the model needs, so it can take seconds;
    call it in a thread. Raises `ConfigurationError` that says what to do.
    """
    provider, _, name = model_id.partition(":")
    if more_base_urls and provider != "openai":
        raise ConfigurationError(f"more_base_urls are servers of models named openai:NAME, which {model_id!r} is not")
    match provider:
        case "embedded" if not name:
            return _embedded(scene_check, adapter)
        case "qwen-vl" if name:
            return _in_process(name, adapter)
        case "fake" if name:
            return FakeModel.from_file(name)
        case "openai" if name and more_base_urls:
            return _endpoints(name, base_url, more_base_urls, timeout)
        case "openai" if name:
            return _openai(name, base_url, timeout)
        case "tongyi" if name:
            return _tongyi(name, timeout)
        case _ if provider and name:
            return _through_langchain(provider, name, base_url, timeout)
        case _:
            raise ConfigurationError(f"{model_id!r} names no model; give provider:model, such as {', '.join(OWN)}")


def _embedded(scene_check: "SceneCheck | None", adapter: str | None) -> Client:
    _need("embedded", "'anomagent[local]'", "torch", "transformers")
    from anomagent.models.embedded import EmbeddedClient

    return EmbeddedClient(scene_check, adapter=adapter)


def _in_process(name: str, adapter: str | None) -> Client:
    _need(f"qwen-vl:{name}", "'anomagent[local]'", "torch", "transformers", "huggingface_hub")
    from anomagent.models.qwen_engine import QwenSource
    from anomagent.models.qwen_vl import QwenVLClient

    return QwenVLClient(QwenSource(name, adapter=adapter))


def _endpoints(name: str, base_url: str | None, more: Sequence[str], timeout: float) -> Client:
    """Several servers of one model, which encode each image once for all of them."""
    if not base_url:
        raise ConfigurationError("more_base_urls needs base_url, the first of the servers; give --base-url")
    if any("@" in url for url in more):
        raise ConfigurationError("more_base_urls must not hold a user or password; give the key in OPENAI_API_KEY")
    urls: dict[str, str] = {}
    for url in (base_url, *more):
        server = _public(_server(url, "base_url" if url is base_url else "more_base_urls")).lower()
        if server in urls:
            raise ConfigurationError(f"more_base_urls names {server} twice; give each server once")
        urls[server] = url
    images = DataUrls()
    return Endpoints({server: _openai(name, url, timeout, images) for server, url in urls.items()})


def _openai(name: str, base_url: str | None, timeout: float, images: DataUrls | None = None) -> Client:
    """OpenAI itself, or any server that speaks its API. A server of one's own needs no key."""
    given = base_url or os.environ.get("OPENAI_BASE_URL") or os.environ.get("OPENAI_API_BASE")
    url = _server(given, "base_url") if given else None
    imitation = url is not None and urlsplit(url).hostname != "api.openai.com"
    key = os.environ.get(KEYS["openai"], "")
    if not key and not imitation:
        hint = "; for a server of your own give --base-url"
        raise ConfigurationError(_no_key(f"openai:{name}", KEYS["openai"]) + hint)
    from openai import DefaultAsyncHttpxClient

    from anomagent.models.openai_chat import PlainChatOpenAI

    # Not LangChain's connections: those are shared by all event loops of the process, and break in the second one.
    connections = DefaultAsyncHttpxClient(timeout=timeout)
    model = PlainChatOpenAI(
        model=name,
        base_url=url,
        api_key=SecretStr(key or "none"),
        max_retries=0,
        timeout=timeout,
        http_async_client=connections,
        use_responses_api=False,
        disable_streaming=True,
    )
    return ChatClient(
        f"openai:{name}@{_public(url)}" if imitation and url else f"openai:{name}",
        lambda max_tokens: model,
        dialect=OpenAIDialect(imitation),
        secrets=_secrets(key, urlsplit(url).password if url else None),
        timeout=timeout,
        images=images,
        close=connections.aclose,
    )


def _tongyi(name: str, timeout: float) -> Client:
    """DashScope's native API, through langchain-community."""
    _need(f"tongyi:{name}", "'anomagent[tongyi]'", "langchain_community", "dashscope")
    key = _key(f"tongyi:{name}", KEYS["tongyi"])
    # By name: type checkers need not have an extra installed that is being sunset.
    tongyi: Any = import_module("langchain_community.chat_models.tongyi")
    model = tongyi.ChatTongyi(model=name, api_key=SecretStr(key), max_retries=1)
    return ChatClient(
        f"tongyi:{name}", lambda max_tokens: model, dialect=TongyiDialect(), secrets=_secrets(key), timeout=timeout
    )


def _through_langchain(provider: str, name: str, base_url: str | None, timeout: float) -> Client:
    """Everything else that LangChain's `init_chat_model` knows and that can look at images."""
    model_id, known = f"{provider}:{name}", CHAT.get(provider)
    if known is None:
        providers = ", ".join((*OWN, *(f"{other}:NAME" for other in CHAT)))
        hint = f"; for a model of the server at --base-url write openai:{model_id}" if base_url else ""
        raise ConfigurationError(f"{model_id}: unknown provider {provider!r}; known: {providers}{hint}")
    _need(model_id, known.install, known.module)
    secrets = _secrets(_key(model_id, *known.keys)) if known.keys else ()
    options: dict[str, Any] = {"max_retries": 0, "timeout": timeout} if known.tunable else {}

    def make(max_tokens: int) -> "BaseChatModel":
        from langchain.chat_models import init_chat_model

        return cast(Any, init_chat_model)(name, model_provider=provider, **options, **{known.size: max_tokens})

    try:
        make(16)
    except Exception as error:  # whatever a provider's package throws, it says that the model cannot be used
        reason = str(error.errors()[0]["msg"] if isinstance(error, ValidationError) else error)
        raise ConfigurationError(f"{model_id}: cannot be used: {scrub(' '.join(reason.split()), secrets)}") from None
    return ChatClient(model_id, make, secrets=secrets, timeout=timeout)


def _need(model_id: str, install: str, *modules: str) -> None:
    """Raise `ConfigurationError` that names what to install, unless all modules are there."""
    missing = [module for module in modules if find_spec(module) is None]
    if missing:
        names = ", ".join(missing)
        raise ConfigurationError(f"{model_id} needs {names}: pip install {install}, or choose another --model")


def _key(model_id: str, *variables: str) -> str:
    """The key of a provider, from the environment alone."""
    for variable in variables:
        if key := os.environ.get(variable):
            return key
    raise ConfigurationError(_no_key(model_id, *variables))


def _no_key(model_id: str, *variables: str) -> str:
    return f"{model_id}: no API key; set {' or '.join(variables)} in the environment or in .env"


def _secrets(*values: str | None) -> Collection[str]:
    """Those of the values that must not appear in any message."""
    return tuple(value for value in values if value and len(value) > _SHORTEST_SECRET)


def _server(url: str, setting: str) -> str:
    try:
        parts = urlsplit(url)
        fits = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        fits = False
    if not fits:
        raise ConfigurationError(f"{setting} {url!r} is no URL of a server; give it as http://HOST:PORT/v1")
    return url


def _public(url: str) -> str:
    """The address without user, password and query."""
    parts = urlsplit(url)
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, host, parts.path.rstrip("/"), "", ""))
