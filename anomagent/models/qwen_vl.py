"""Qwen2-VL, Qwen2.5-VL and Qwen3-VL in this process, concurrent calls gathered into batches."""

import asyncio
import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

from anomagent.errors import AnomagentError, BadRequest, ConfigurationError, UsageError
from anomagent.models.files import directory_hash
from anomagent.models.imaging import load_rgb
from anomagent.models.types import Completion, Request, Usage

if TYPE_CHECKING:
    from anomagent.models.generation import Conversation, Generated, Generator

FAMILIES = ("qwen2_vl", "qwen2_5_vl", "qwen3_vl", "qwen3_vl_moe")
GATHER_SECONDS = 0.005
"""How long a call waits for others before a batch starts; while a batch runs, the next one gathers by itself."""

_Waiting = tuple[Request, "asyncio.Future[Completion]"]


class QwenVLClient:
    """A client over one loaded model. The model is loaded at the first call that the ledger does not answer."""

    def __init__(self, name: str, adapter: str | None = None, *, max_batch: int = 8) -> None:
        """`name` is a directory or a hub id, `adapter` the directory of a LoRA adapter.

        Raises `ConfigurationError` for what can be seen to be unusable without loading the weights.
        """
        self._name, self._adapter, self._max_batch = name, adapter, max_batch
        self.identity = f"qwen-vl:{_identity(name)}" + (f"+{_adapter_identity(adapter)}" if adapter else "")
        self._worker = ThreadPoolExecutor(max_workers=1, thread_name_prefix="qwen-vl")
        self._generator: Generator | None = None
        self._waiting: list[_Waiting] = []
        self._runner: asyncio.Task[None] | None = None

    async def complete(self, request: Request) -> Completion:
        """Answer `request`, together with the calls that wait at the same time."""
        future = asyncio.get_running_loop().create_future()
        self._waiting.append((request, future))
        if self._runner is None or self._runner.done():
            self._runner = asyncio.create_task(self._run())
        return await future

    async def aclose(self) -> None:
        """Stop the worker and free the model."""
        if self._runner:
            self._runner.cancel()
        self._worker.shutdown(wait=False, cancel_futures=True)
        self._generator = None

    async def _run(self) -> None:
        """Answer batch after batch until nobody waits."""
        while self._waiting:
            await asyncio.sleep(GATHER_SECONDS)
            batch = self._take()
            if batch:
                await self._answer(batch)

    def _take(self) -> list[_Waiting]:
        """The next calls that can share a batch: same size of answer and temperature."""
        self._waiting = [entry for entry in self._waiting if not entry[1].done()]
        if not self._waiting:
            return []
        first = self._waiting[0][0]
        alike = [
            entry
            for entry in self._waiting
            if (entry[0].max_tokens, entry[0].temperature) == (first.max_tokens, first.temperature)
        ][: self._max_batch]
        self._waiting = [entry for entry in self._waiting if not any(entry is taken for taken in alike)]
        return alike

    async def _answer(self, batch: list[_Waiting]) -> None:
        requests = [request for request, _ in batch]
        loop = asyncio.get_running_loop()
        try:
            outcomes = await loop.run_in_executor(self._worker, self._complete_all, requests)
        except Exception as error:
            outcomes = [error] * len(batch)
        for (_, future), outcome in zip(batch, outcomes, strict=True):
            if future.done():
                continue
            if isinstance(outcome, Completion):
                future.set_result(outcome)
            else:
                future.set_exception(outcome)

    def _complete_all(self, requests: list[Request]) -> "list[Completion | Exception]":
        """Runs in the worker thread: images that cannot be read fail alone."""
        from anomagent.models.generation import Generator

        if self._generator is None:
            self._generator = Generator(self._name, self._adapter)
        outcomes: list[Completion | Exception] = []
        conversations: list[Conversation] = []
        for request in requests:
            try:
                conversations.append(_conversation(request))
                outcomes.append(Completion(""))
            except UsageError as error:
                outcomes.append(BadRequest(str(error)))
        answers = iter(self._generate(self._generator, conversations, requests[0]))
        return [next(answers) if isinstance(outcome, Completion) else outcome for outcome in outcomes]

    def _generate(
        self, generator: "Generator", conversations: "list[Conversation]", request: Request
    ) -> "list[Completion | Exception]":
        """One batch, or two halves of it where the memory does not suffice."""
        import torch

        if not conversations:
            return []
        try:
            answers = generator.generate(conversations, request.max_tokens, request.temperature)
            return [_completion(answer) for answer in answers]
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
        except AnomagentError as error:
            return [error] * len(conversations)
        if len(conversations) == 1:
            advice = "lower image_max_pixels or choose a smaller model"
            return [BadRequest(f"{self.identity}: not enough memory for one image; {advice}")]
        self._max_batch = max(1, len(conversations) // 2)
        middle = self._max_batch
        return self._generate(generator, conversations[:middle], request) + self._generate(
            generator, conversations[middle:], request
        )


def _conversation(request: Request) -> "Conversation":
    from anomagent.models.generation import Conversation

    image = load_rgb(request.image_path, request.max_pixels)
    turns = (("user", request.prompt.text), *((turn.speaker, turn.text) for turn in request.turns))
    return Conversation(image, request.prompt.system, turns)


def _completion(answer: "Generated") -> Completion:
    usage = Usage(input_tokens=answer.prompt_tokens, output_tokens=answer.tokens)
    return Completion(answer.text, usage, "stop" if answer.finished else "length", exhausted=answer.exhausted)


def _identity(name: str) -> str:
    """A local directory is known by its content, a hub model by its commit."""
    directory = Path(name).expanduser()
    if directory.is_dir():
        _check_family(name, _model_type(directory))
        return f"{directory.resolve().name}:{directory_hash(directory)}"
    if directory.is_absolute() or name.startswith("."):
        raise ConfigurationError(f"qwen-vl:{name}: there is no such directory")
    from transformers import AutoConfig

    try:
        config = AutoConfig.from_pretrained(name)
    except (OSError, ValueError):
        raise ConfigurationError(
            f"qwen-vl:{name}: neither a directory nor a model that the hub gives out; check the name and the network"
        ) from None
    _check_family(name, config.model_type)
    return f"{name}@{getattr(config, '_commit_hash', None) or 'main'}"


def _model_type(directory: Path) -> str:
    try:
        return str(json.loads((directory / "config.json").read_text())["model_type"])
    except (OSError, ValueError, KeyError):
        raise ConfigurationError(f"qwen-vl:{directory}: no config.json that names a model type") from None


def _check_family(name: str, model_type: str) -> None:
    if model_type not in FAMILIES:
        raise ConfigurationError(f"qwen-vl:{name}: a model of type {model_type!r}; known: {', '.join(FAMILIES)}")


def _adapter_identity(adapter: str) -> str:
    directory = Path(adapter).expanduser()
    if not (directory / "adapter_config.json").is_file():
        raise ConfigurationError(
            f"adapter {adapter}: no adapter_config.json there; give the directory of a LoRA adapter"
        )
    return directory_hash(directory)
