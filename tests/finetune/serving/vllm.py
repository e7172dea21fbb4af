"""What vLLM does with base and adapter, on the loopback: real answers and real token counts, or wrong ones."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomagent.finetune.serving.bases import Base, adapted, find_base
from anomagent.finetune.serving.probes import Local, inputs_of
from anomagent.models.qwen_inputs import QwenInputs
from anomagent.models.types import Request
from anomagent.prompts.base import PlainText, Prompt
from tests.models.server import Asked, Reaction, fails, says


class Remembering(Local):
    """Answers the same question once."""

    def answer(self, request: Request) -> list[int]:
        key = (request.image_sha256, request.max_tokens, any(map(_is_off, self.model.modules())))
        if key not in _ANSWERS:
            _ANSWERS[key] = super().answer(request)
        return _ANSWERS[key]


_ANSWERS: dict[tuple[str, int, bool], list[int]] = {}


def _is_off(module: Any) -> bool:
    return bool(getattr(module, "_disable_adapters", False))


@dataclass
class VLLM:
    """A script for `Server`: serves `base` as "base" and, with the adapter, as "ours"."""

    base: Base
    model: Local
    folder: Path
    counted: QwenInputs
    """Counts prompt tokens, under the server's own pixel bounds."""
    applies: bool = True
    counts: bool = True
    extra: int = 0
    """Tokens more with every question."""
    marks: int = 0
    """Tokens more with every picture."""
    narrow: bool = False
    """Has no room for the pictures whose tokens are counted."""
    wavers: bool = False
    """Answers otherwise each time."""
    says: str | None = None
    """Answers this instead, as the adapter."""
    asked: int = 0

    @classmethod
    def of(cls, base: str, adapter: Path, folder: Path) -> VLLM:
        found = find_base(base, weights=True)
        inputs = inputs_of(found, adapter)
        return cls(found, Remembering(adapted(found.load("cpu"), adapter), inputs), folder, inputs)

    def with_bounds(self, least: int, most: int) -> None:
        pixels = {"min_pixels": least, "max_pixels": most}
        self.counted = QwenInputs.load(str(self.base.directory), None, str(self.base.directory), pixels)

    def __call__(self, asked: Asked) -> Reaction:
        self.asked += 1
        if asked.body["model"] not in ("base", "ours"):
            return fails(404, f"The model `{asked.body['model']}` does not exist.", "model_not_found")
        request = self._request(asked.body)
        count = len(self.counted.of(request).ids) + self.extra + self.marks * (request.image_path is not None)
        if self.narrow and request.image_path and request.max_tokens == 1:
            return fails(400, "This model's maximum context length is 200 tokens.")
        text = self._answer(request, adapted=asked.body["model"] == "ours" and self.applies)
        return says(text, tokens=(count, 0, 1) if self.counts else None)

    def _answer(self, request: Request, *, adapted: bool) -> str:
        if adapted and self.says is not None:
            return self.says
        text = self.model.text(self.model.answer(request)) if adapted else self.model.plain(request)
        return f"{text} {self.asked}" if self.wavers else text

    def _request(self, body: Mapping[str, Any]) -> Request:
        system, user = (message["content"] for message in body["messages"])
        text, path, digest = user, None, ""
        if not isinstance(user, str):
            text = user[1]["text"]
            content = base64.b64decode(user[0]["image_url"]["url"].partition(",")[2])
            digest = hashlib.sha256(content).hexdigest()
            (self.folder / digest).write_bytes(content)
            path = str(self.folder / digest)
        prompt = Prompt("AnomalyReporter", "report", text, PlainText, system)
        room = body.get("max_tokens") or body["max_completion_tokens"]
        return Request(prompt, path, digest, 10**9, room, 0.0)
