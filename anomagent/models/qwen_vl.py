"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL in this process, with concurrent calls gathered into batches."""

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from anomagent.errors import ConfigurationError
from anomagent.models.batching import Batcher, Ticket
from anomagent.models.files import directory_hash
from anomagent.models.qwen_engine import Outcome, QwenEngine, QwenSource
from anomagent.models.types import Completion, Request

FAMILIES = frozenset({"qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe"})


class QwenVLClient:
    """Runs a model directory or hub id. The weights are loaded once, by the first call, in the worker thread.

    Making a client reads the configuration only, and raises `ConfigurationError` where there is no such model.
    """

    def __init__(
        self, source: QwenSource, *, name: str = "qwen-vl", largest_batch: int = 8, window: float = 0.005
    ) -> None:
        if source.adapter:
            source = replace(source, adapter=str(Path(source.adapter).expanduser()))
        self._source, origin = _located(source)
        self.identity = f"{name}:{origin}{_set_up(source)}"
        self._engine: QwenEngine | None = None
        self._batcher: Batcher[Request, Outcome] = Batcher(self._work, largest=largest_batch, window=window)

    def __repr__(self) -> str:
        return f"QwenVLClient({self.identity!r})"

    async def complete(self, request: Request) -> Completion:
        """Answer `request`, in a batch with others of the same temperature where there are any."""
        outcome = await self._batcher.submit(request, group=request.temperature)
        if isinstance(outcome, Completion):
            return outcome
        raise outcome

    async def aclose(self) -> None:
        """End the worker and let go of the weights."""
        await self._batcher.aclose()
        self._engine = None

    def _work(self, batch: Sequence[Ticket[Request, Outcome]]) -> Sequence[Outcome | Exception]:
        engine = self._engine = self._engine or QwenEngine.load(self._source)
        return engine.answer([ticket.item for ticket in batch], lambda: all(ticket.abandoned for ticket in batch))


def _located(source: QwenSource) -> tuple[QwenSource, str]:
    """The source with its revision fixed, and the words that name its content."""
    directory = Path(source.source).expanduser()
    if directory.is_dir():
        _check(directory / "config.json", source.source)
        return replace(source, source=str(directory)), f"{directory.resolve().name}@{directory_hash(directory)}"
    if source.source.startswith((".", "/", "~")) or source.source.count("/") != 1:
        raise ConfigurationError(
            f"qwen-vl:{source.source}: there is no such directory, and it is no hub id (OWNER/NAME)"
        )
    config = _from_hub(source)
    _check(config, source.source)
    revision = config.parent.name
    return replace(source, revision=revision), f"{source.source}@{revision[:16]}"


def _from_hub(source: QwenSource) -> Path:
    """The model's configuration, from the cache or the hub."""
    try:
        from huggingface_hub import hf_hub_download  # pyright: ignore[reportUnknownVariableType]
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError as error:
        raise ConfigurationError("qwen-vl models need more packages: pip install 'anomagent[local]'") from error
    try:
        return Path(hf_hub_download(source.source, "config.json", revision=source.revision))
    except (OSError, ValueError, HfHubHTTPError, HFValidationError) as error:
        raise ConfigurationError(
            f"qwen-vl:{source.source}: not a directory here, and the hub does not have it or cannot be reached"
            f" ({type(error).__name__}); give the directory of a downloaded model"
        ) from error


def _check(config: Path, name: str) -> None:
    try:
        family: Any = json.loads(config.read_text(encoding="utf-8")).get("model_type")
    except (OSError, ValueError, AttributeError) as error:
        raise ConfigurationError(f"qwen-vl:{name}: no readable config.json there; is it a model directory?") from error
    if family not in FAMILIES:
        raise ConfigurationError(
            f"qwen-vl:{name}: this is a model of type {family}; known are {', '.join(sorted(FAMILIES))}"
        )


def _set_up(source: QwenSource) -> str:
    """What else decides answers: the adapter's content, the pixel bounds, the number format."""
    words: list[str] = []
    if source.adapter:
        adapter = Path(source.adapter)
        if not (adapter / "adapter_config.json").is_file():
            raise ConfigurationError(f"{source.adapter} is no adapter: it has no adapter_config.json")
        words.append(f"adapter={directory_hash(adapter)}")
    words += [f"{name}={value}" for name, value in source.bounds.items()]
    if source.dtype != "auto":
        words.append(f"dtype={source.dtype}")
    return "".join(f"+{word}" for word in words)
