"""A client over any LangChain chat model."""

import asyncio
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from anomagent.errors import BadRequest, ModelError, Unavailable, UsageError
from anomagent.models.dialects import Dialect
from anomagent.models.imaging import DataUrls
from anomagent.models.provider_errors import as_model_error
from anomagent.models.types import Completion, FinishReason, Request, Usage

if TYPE_CHECKING:
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage, BaseMessage

_LENGTH = frozenset({"length", "max_tokens", "max_output_tokens", "model_context_window_exceeded", "model_length"})
_REFUSAL = frozenset(
    {"refusal", "content_filter", "safety", "prohibited_content", "blocklist", "spii", "image_safety", "recitation"}
)


class ChatClient:
    """Sends the conversation through LangChain, once, and reads back text, tokens and how the answer ended.

    `make` builds the model for a size of answer; `secrets` never leave in an error's text; `timeout` is in seconds.
    """

    def __init__(
        self,
        identity: str,
        make: "Callable[[int], BaseChatModel]",
        *,
        dialect: Dialect | None = None,
        secrets: Collection[str] = (),
        timeout: float = 180.0,
        images: DataUrls | None = None,
        close: Callable[[], Awaitable[None]] | None = None,
    ) -> None:
        self.identity = identity
        self._make = make
        self._models: dict[int, BaseChatModel] = {}
        self._making = asyncio.Lock()
        self._dialect = dialect or Dialect()
        self._secrets = secrets
        self._timeout = timeout
        self._images = images or DataUrls()
        self._close = close

    def __repr__(self) -> str:
        return f"ChatClient({self.identity!r})"

    async def complete(self, request: Request) -> Completion:
        """Send `request` within the timeout; a server's dislike of an option is learned and answered at once."""
        while True:
            options = self._dialect.options(request)
            outcome = await self._attempt(request, options)
            if isinstance(outcome, Completion):
                return outcome
            if not (isinstance(outcome, BadRequest) and self._dialect.learn(str(outcome), options)):
                # Raised here, outside of any handler: a chained provider error could carry a key into a log.
                raise outcome

    async def aclose(self) -> None:
        """Close the connections."""
        self._models.clear()
        if self._close:
            await self._close()

    async def _attempt(self, request: Request, options: Mapping[str, Any]) -> Completion | ModelError:
        try:
            messages = await self._messages(request)
        except UsageError as error:
            return BadRequest(str(error))
        try:
            async with asyncio.timeout(self._timeout):
                model = await self._model(request.max_tokens)
                message = await model.ainvoke(messages, **options)
        except TimeoutError:
            return Unavailable(f"{self.identity}: no answer within {self._timeout:g} s")
        except Exception as error:
            return as_model_error(error, self.identity, self._secrets)
        completion = completion_of(message)
        odds = self._dialect.odds(message.response_metadata, request.first_words)
        return completion if odds is None else replace(completion, odds=odds)

    async def _model(self, max_tokens: int) -> "BaseChatModel":
        if max_tokens not in self._models:
            async with self._making:
                if max_tokens not in self._models:
                    # Making a model imports its provider and reads certificates: not on the event loop.
                    self._models[max_tokens] = await asyncio.to_thread(self._make, max_tokens)
        return self._models[max_tokens]

    async def _messages(self, request: Request) -> "list[BaseMessage]":
        from langchain_core.messages import AIMessage, HumanMessage, SystemMessage

        url = None
        if request.image_path is not None:
            url = await self._images.get(request.image_path, request.image_sha256, request.max_pixels)
        messages: list[BaseMessage] = [
            SystemMessage(self._dialect.system(request.prompt.system)),
            HumanMessage(self._dialect.user(url, request.prompt.text)),
        ]
        for turn in request.turns:
            messages.append(AIMessage(turn.text) if turn.speaker == "assistant" else HumanMessage(turn.text))
        return messages


def completion_of(message: "AIMessage") -> Completion:
    """Read text, tokens and finish reason out of LangChain's message, wherever the provider put them."""
    refusal = message.additional_kwargs.get("refusal")
    text = _text(message.content) or str(refusal or "")
    return Completion(text, _usage(message), "refusal" if refusal else _finish_reason(message.response_metadata))


def _text(content: str | list[Any]) -> str:
    if isinstance(content, str):
        return content
    return "".join(part if isinstance(part, str) else str(part.get("text") or "") for part in content)


def _usage(message: "AIMessage") -> Usage:
    if counted := message.usage_metadata:
        details = counted.get("input_token_details", {})
        cached = next((n for name, n in details.items() if name.endswith("cache_read") and isinstance(n, int)), 0)
        return Usage(counted["input_tokens"], cached, counted["output_tokens"])
    raw: Mapping[str, Any] = message.response_metadata.get("token_usage") or {}
    return Usage(int(raw.get("input_tokens") or 0), 0, int(raw.get("output_tokens") or 0))


def _finish_reason(metadata: Mapping[str, Any]) -> FinishReason:
    reason = metadata.get("finish_reason") or metadata.get("stop_reason") or metadata.get("done_reason") or "stop"
    lowered = str(getattr(reason, "name", reason)).lower()
    if lowered in _LENGTH:
        return "length"
    return "refusal" if lowered in _REFUSAL else "stop"
