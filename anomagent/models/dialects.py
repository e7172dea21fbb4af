"""How providers differ: the form of an image, the options of a request, and what they teach us by refusing one."""

import logging
from typing import Any

from anomagent.models.types import Request
from anomagent.prompts.base import Reply

log = logging.getLogger(__name__)


class Dialect:
    """What every LangChain chat model understands. The size of an answer is set when the model is made."""

    def system(self, text: str) -> str | list[str | dict[str, Any]]:
        """The content of the system message."""
        return text

    def user(self, image_url: str, text: str) -> list[str | dict[str, Any]]:
        """The content of the first user message: the image, then the text."""
        return [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": text}]

    def options(self, request: Request) -> dict[str, Any]:
        """Keyword arguments of the model's call."""
        return {} if request.temperature is None else {"temperature": request.temperature}

    def learn(self, complaint: str) -> bool:
        """Adapt to a server that rejected a request; True if the next one will be different."""
        return False


class OpenAIDialect(Dialect):
    """OpenAI's API and its many imitations.

    The schema goes into `extra_body`, because LangChain's structured output would hide the raw answer of a failed call.
    """

    def __init__(self, imitation: bool) -> None:
        self._constrained = True
        self._size_field = "max_tokens" if imitation else "max_completion_tokens"

    def options(self, request: Request) -> dict[str, Any]:
        """Size, schema and temperature, as this server is known to take them."""
        body: dict[str, Any] = {self._size_field: request.max_tokens}
        if self._constrained:
            body["response_format"] = _response_format(request.prompt.reply)
        return super().options(request) | {"extra_body": body}

    def learn(self, complaint: str) -> bool:
        """Leave out the schema, or name the size differently, where the server says that it does not know them."""
        complaint = complaint.lower()
        if self._constrained and any(word in complaint for word in ("response_format", "json_schema", "guided")):
            self._constrained = False
            log.warning("the server does not take a response schema; answers are validated here only")
            return True
        other = {"max_tokens": "max_completion_tokens", "max_completion_tokens": "max_tokens"}[self._size_field]
        if self._size_field in complaint and any(
            word in complaint for word in ("unsupported", "not supported", "unknown", "unrecognized", "extra", other)
        ):
            self._size_field = other
            return True
        return False


class TongyiDialect(Dialect):
    """DashScope's native API: parts without a type."""

    def system(self, text: str) -> str | list[str | dict[str, Any]]:
        """A list of one text part."""
        return [{"text": text}]

    def user(self, image_url: str, text: str) -> list[str | dict[str, Any]]:
        """The image, then the text, as DashScope's parts."""
        return [{"image": image_url}, {"text": text}]

    def options(self, request: Request) -> dict[str, Any]:
        """Size and temperature are plain arguments there."""
        return super().options(request) | {"max_tokens": request.max_tokens}


def _response_format(reply: type[Reply]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": reply.__name__, "schema": reply.strict_schema(), "strict": True},
    }
