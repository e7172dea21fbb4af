"""A real OpenAI-compatible HTTP server on the loopback, which does what a script says and keeps what it was asked."""

from __future__ import annotations

import asyncio
import json
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

LIST = '{"objects": [{"name": "cup", "description": "a red cup"}]}'
"""A valid reply to the prompts that the tests ask."""


@dataclass(frozen=True)
class Reaction:
    """What the server does with one request."""

    status: int = 200
    content: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    hangs: bool = False
    breaks_off: bool = False
    """Promises more bytes than it sends, and closes the connection."""


Script = Sequence[Reaction] | Callable[["Asked"], Reaction]
"""One thing after another, the last for ever; or a function of the request."""


@dataclass(frozen=True)
class Asked:
    """One request as it arrived."""

    body: dict[str, Any]
    headers: dict[str, str]

    @property
    def texts(self) -> list[str]:
        """The text of every message but the one with the image."""
        return [message["content"] for message in self.body["messages"] if isinstance(message["content"], str)]

    @property
    def image(self) -> str:
        """The image's data URL: the first part of the second message."""
        return self.body["messages"][1]["content"][0]["image_url"]["url"]


def says(
    text: str | None = LIST,
    *,
    finish: str = "stop",
    refusal: str | None = None,
    tokens: tuple[int, int, int] | None = (1000, 600, 50),
) -> Reaction:
    """A chat completion. `tokens` are input, the cached part of it, and output; None: the server does not count."""
    message = {"role": "assistant", "content": text} | ({"refusal": refusal} if refusal else {})
    body: dict[str, Any] = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [{"index": 0, "finish_reason": finish, "message": message}],
    }
    if tokens:
        body["usage"] = {
            "prompt_tokens": tokens[0],
            "completion_tokens": tokens[2],
            "total_tokens": tokens[0] + tokens[2],
            "prompt_tokens_details": {"cached_tokens": tokens[1]},
        }
    return Reaction(content=json.dumps(body).encode())


def fails(status: int, message: str = "no", code: str | None = None, **headers: str) -> Reaction:
    """An error in OpenAI's form; `retry_after="3"` becomes the header `retry-after: 3`."""
    body = {"error": {"message": message, "type": "some_error", "code": code}}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Reaction(status, json.dumps(body).encode(), named)


HANGS = Reaction(hangs=True)
BREAKS_OFF = Reaction(content=says().content[:80], breaks_off=True)
HALF_JSON = Reaction(content=says().content[:80])
HTML = Reaction(content=b"<html><body>Sign in</body></html>", headers={"content-type": "text/html"})


class Server:
    """Listens while its `with` block is open. `script` may be changed at any time, `asked` grows with every request."""

    def __init__(self) -> None:
        self.script: Script = [says()]
        self.asked: list[Asked] = []
        app = Starlette(routes=[Route("/v1/chat/completions", self._answer, methods=["POST"])])
        config = uvicorn.Config(app, port=0, log_level="critical", access_log=False, lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        while not self._server.started:
            time.sleep(0.01)
        self.url = f"http://127.0.0.1:{self._server.servers[0].sockets[0].getsockname()[1]}/v1"
        return self

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = self._server.force_exit = True
        self._thread.join()

    def reset(self) -> None:
        """Forget everything."""
        self.script, self.asked = [says()], []

    async def _answer(self, request: Request) -> Response:
        asked = Asked(await request.json(), dict(request.headers))
        number = len(self.asked)
        self.asked.append(asked)
        script = self.script
        reaction = script(asked) if callable(script) else script[min(number, len(script) - 1)]
        if reaction.hangs:
            await self._wait_for_the_client_to_leave(request)
        headers = {"content-type": "application/json"} | dict(reaction.headers)
        if reaction.breaks_off:
            headers["content-length"] = str(10 * len(reaction.content))
        return Response(reaction.content, reaction.status, headers)

    async def _wait_for_the_client_to_leave(self, request: Request) -> None:
        while not await request.is_disconnected() and not self._server.should_exit:
            await asyncio.sleep(0.01)
