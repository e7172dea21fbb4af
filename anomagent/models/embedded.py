"""The embedded model: the project's own tiny Qwen2.5-VL, which knows its rendered scenes and refuses all else."""

import asyncio
from collections.abc import Callable
from functools import partial
from pathlib import Path

from PIL import Image

from anomagent.errors import BadRequest, ConfigurationError, UsageError
from anomagent.models.imaging import load_rgb
from anomagent.models.qwen_engine import QwenSource
from anomagent.models.qwen_vl import QwenVLClient
from anomagent.models.types import Completion, Request

DIRECTORY = Path(__file__).with_name("embedded_weights")
SceneCheck = Callable[[Image.Image], bool]

FOREIGN = (
    "the embedded model knows only this project's rendered scenes, and this image is none of them; choose a model"
    " that can see it: --model openai:gpt-4o with OPENAI_API_KEY set, --model openai:NAME --base-url URL for a vLLM,"
    " SGLang or Ollama server, or --model qwen-vl:Qwen/Qwen2.5-VL-7B-Instruct in this process"
)
TEXT_ALONE = (
    "the embedded model knows only this project's rendered scenes and cannot judge texts; choose a language model:"
    " --model openai:gpt-4o with OPENAI_API_KEY set, or --model openai:NAME --base-url URL for a server of your own"
)
_LONGEST_ANSWER = 1_024
"""Tokens. Its longest right answers have a few hundred; what goes on is a loop."""


class EmbeddedClient:
    """Looks at each image once with `scene_check` before the model does; None lets every image pass."""

    def __init__(
        self, scene_check: SceneCheck | None, *, adapter: str | None = None, directory: Path = DIRECTORY
    ) -> None:
        if not (directory / "model.safetensors").is_file():
            raise ConfigurationError(
                "this installation has no embedded model; name another one, such as --model openai:gpt-4o"
            )
        source = QwenSource(str(directory), adapter=adapter, device="cpu", longest_answer=_LONGEST_ANSWER)
        self._model = QwenVLClient(source, name="embedded")
        self._scene_check = scene_check
        self._known: dict[str, bool] = {}
        self.identity = self._model.identity

    async def complete(self, request: Request) -> Completion:
        """Answer about a rendered scene. Raises `BadRequest` that lists the real choices for anything else."""
        if request.image_path is None:
            raise BadRequest(TEXT_ALONE)
        if not await self._is_scene(request.image_path, request):
            raise BadRequest(FOREIGN)
        return await self._model.complete(request)

    async def aclose(self) -> None:
        """End the worker and let go of the weights."""
        await self._model.aclose()

    async def _is_scene(self, path: str, request: Request) -> bool:
        if self._scene_check is None:
            return True
        if request.image_sha256 not in self._known:
            look = partial(_looks, self._scene_check, path, request.max_pixels)
            self._known[request.image_sha256] = await asyncio.to_thread(look)
        return self._known[request.image_sha256]


def _looks(check: SceneCheck, path: str, max_pixels: int) -> bool:
    try:
        return check(load_rgb(path, max_pixels))
    except UsageError as error:
        raise BadRequest(str(error)) from error
