"""The project's own tiny Qwen2.5-VL: for the demo and for tests, on rendered scenes and on nothing else."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from PIL import Image

from anomagent.errors import BadRequest, ConfigurationError, UsageError
from anomagent.models.imaging import load_rgb
from anomagent.models.qwen_vl import QwenVLClient
from anomagent.models.types import Completion, Request

DIRECTORY = Path(__file__).parent / "embedded_weights"
REFUSAL = (
    "the embedded model knows rendered scenes only, and this image is none. Choose a real model: "
    "--model openai:gpt-4o (with OPENAI_API_KEY), --model openai:NAME --base-url URL (vLLM, SGLang, Ollama), "
    "or --model qwen-vl:Qwen/Qwen2.5-VL-7B-Instruct (in this process)"
)


class EmbeddedClient:
    """Looks at each image before the model does: a photograph is refused, never passed off as analysed."""

    def __init__(self, looks_like_scene: Callable[[Image.Image], bool], directory: Path = DIRECTORY) -> None:
        if not (directory / "model.safetensors").is_file():
            raise ConfigurationError(f"embedded: the weights are missing in {directory}; run make train-embedded")
        self._looks_like_scene = looks_like_scene
        self._client = QwenVLClient(str(directory))
        self.identity = self._client.identity.replace("qwen-vl:", "embedded:", 1)
        self._seen: dict[str, bool] = {}

    async def complete(self, request: Request) -> Completion:
        """Answer about a rendered scene. Raises `BadRequest` that names the real choices for any other image."""
        if request.image_sha256 not in self._seen:
            self._seen[request.image_sha256] = await asyncio.to_thread(self._check, request)
        if not self._seen[request.image_sha256]:
            raise BadRequest(REFUSAL)
        return await self._client.complete(request)

    async def aclose(self) -> None:
        """Free the model."""
        await self._client.aclose()

    def _check(self, request: Request) -> bool:
        try:
            return self._looks_like_scene(load_rgb(request.image_path, request.max_pixels))
        except UsageError as error:
            raise BadRequest(str(error)) from None
