"""How providers differ: the form of an image, the options of a request, and what they teach us by refusing one."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from anomagent.models.first_words import odds_of
from anomagent.models.types import Request
from anomagent.prompts.base import Reply

log = logging.getLogger(__name__)

_FORMAT = "response_format"
_ABOUT_FORMAT = (_FORMAT, "json_schema", "guided")
_LOGPROBS = "logprobs"
_TOP = 5
"""Tokens whose probability is asked for: as many as every server gives."""
_NOT_KNOWN = ("unsupported", "not supported", "unknown", "unrecognized", "unexpected", "extra", "not permitted")


class Dialect:
    """What every LangChain chat model understands. The size of an answer is set when the model is made."""

    def system(self, text: str) -> str | list[str | dict[str, Any]]:
        """The content of the system message."""
        return text

    def user(self, image_url: str | None, text: str) -> str | list[str | dict[str, Any]]:
        """The content of the first user message: the image, then the text; plain text without an image."""
        if image_url is None:
            return text  # not a list of one part: servers of text models often know no parts
        return [{"type": "image_url", "image_url": {"url": image_url}}, {"type": "text", "text": text}]

    def options(self, request: Request) -> dict[str, Any]:
        """Keyword arguments of the model's call."""
        return {} if request.temperature is None else {"temperature": request.temperature}

    def odds(self, metadata: Mapping[str, Any], words: Sequence[str]) -> dict[str, float] | None:
        """How probable each of `words` was as the answer's first; None where the answer's metadata does not say."""
        return None

    def learn(self, complaint: str, options: Mapping[str, Any]) -> bool:
        """Adapt to a server that rejected a request with these options; True if the next one will be different."""
        return False


class OpenAIDialect(Dialect):
    """OpenAI's API and its many imitations.

    The schema goes into `extra_body`, because LangChain's structured output would hide the raw answer of a failed call.
    """

    def __init__(self, imitation: bool) -> None:
        sizes = ("max_tokens", "max_completion_tokens")
        self._sizes = sizes if imitation else sizes[::-1]
        self._rejected: set[str] = set()

    def options(self, request: Request) -> dict[str, Any]:
        """Size, schema and temperature, as this server is known to take them."""
        body: dict[str, Any] = {self._size_field(): request.max_tokens}
        if _FORMAT not in self._rejected and not request.prompt.reply.plain:
            body[_FORMAT] = _response_format(request.prompt.reply)
        if request.first_words and _LOGPROBS not in self._rejected:
            body |= {_LOGPROBS: True, "top_logprobs": _TOP}
        return super().options(request) | {"extra_body": body}

    def odds(self, metadata: Mapping[str, Any], words: Sequence[str]) -> dict[str, float] | None:
        """From the probabilities of tokens that the server sent along."""
        said: Mapping[str, Any] = metadata.get(_LOGPROBS) or {}
        return odds_of(said.get("content") or (), words)

    def learn(self, complaint: str, options: Mapping[str, Any]) -> bool:
        """Leave out what the server says that it does not know, the schema or the probabilities, or rename the size.

        Requests in flight together bring the same complaint: what counts is what the rejected one was sent with.
        """
        sent: Mapping[str, Any] = options["extra_body"]
        complaint = complaint.lower()
        if _FORMAT in sent and any(word in complaint for word in _ABOUT_FORMAT):
            if _FORMAT not in self._rejected:
                log.warning("the server does not take a response schema; answers are validated here only")
            self._rejected.add(_FORMAT)
            return True
        if _LOGPROBS in sent and _LOGPROBS in complaint:
            if _LOGPROBS not in self._rejected:
                log.warning("the server tells no probabilities of tokens; answers come without them")
            self._rejected.add(_LOGPROBS)
            return True
        size, other = sorted(self._sizes, key=sent.__contains__, reverse=True)
        if size in complaint and any(word in complaint for word in (*_NOT_KNOWN, other)):
            self._rejected.add(size)
            return other not in self._rejected
        return False

    def _size_field(self) -> str:
        """The name of the size that the server takes; the usual one where it takes neither."""
        return next((name for name in self._sizes if name not in self._rejected), self._sizes[0])


class TongyiDialect(Dialect):
    """DashScope's native API: parts without a type."""

    def system(self, text: str) -> str | list[str | dict[str, Any]]:
        """A list of one text part."""
        return [{"text": text}]

    def user(self, image_url: str | None, text: str) -> str | list[str | dict[str, Any]]:
        """The image if there is one, then the text, as DashScope's parts."""
        return [{"text": text}] if image_url is None else [{"image": image_url}, {"text": text}]

    def options(self, request: Request) -> dict[str, Any]:
        """Size and temperature are plain arguments there."""
        return super().options(request) | {"max_tokens": request.max_tokens}


def _response_format(reply: type[Reply]) -> dict[str, Any]:
    return {
        "type": "json_schema",
        "json_schema": {"name": reply.__name__, "schema": reply.strict_schema(), "strict": True},
    }
