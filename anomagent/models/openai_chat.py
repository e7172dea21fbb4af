"""LangChain's ChatOpenAI with a short way for the messages. Imports the OpenAI SDK; import it lazily."""

from typing import Any, cast

from langchain_core.language_models import LanguageModelInput
from langchain_core.messages import BaseMessage
from langchain_openai import ChatOpenAI

_ROLES = {"system": "system", "human": "user", "ai": "assistant"}


class PlainChatOpenAI(ChatOpenAI):
    """For conversations whose content already has the API's form: text, and parts with `image_url`.

    LangChain looks through every part and the SDK through every field, which takes longer than the rest of a request
    together. `extra_body` is merged into the body as it is.
    """

    def _get_request_payload(
        self, input_: LanguageModelInput, *, stop: list[str] | None = None, **kwargs: Any
    ) -> dict[str, Any]:
        payload: dict[str, Any] = cast(Any, super())._get_request_payload([], stop=stop, **kwargs)
        messages = [_plain(message) for message in self._convert_input(input_).to_messages()]
        return payload | {"extra_body": {**payload.get("extra_body", {}), "messages": messages}}


def _plain(message: BaseMessage) -> dict[str, Any]:
    return {"role": _ROLES[message.type], "content": message.content}
