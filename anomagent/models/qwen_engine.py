"""A loaded Qwen-VL model: batches of requests in, completions out. Runs in the client's worker thread."""

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, cast

from anomagent.errors import BadRequest, ConfigurationError, ModelError
from anomagent.models.first_words import FirstTokens
from anomagent.models.qwen_inputs import Inputs, QwenInputs
from anomagent.models.types import Completion, Request, Usage

_SMALL = 500_000_000
"""Parameters up to which a model computes in 32 bits on a CPU, whatever its weights are stored in."""

_TINY = 50_000_000
"""Parameters up to which a second thread costs more than it helps, and most of all on a busy machine."""

_LOADING = threading.Lock()

Outcome = Completion | ModelError


@dataclass(frozen=True)
class QwenSource:
    """Where a model comes from and how it is run. `source` is a directory or a hub id."""

    source: str
    revision: str | None = None
    adapter: str | None = None
    min_pixels: int | None = None
    max_pixels: int | None = None
    device: str = "auto"
    dtype: str = "auto"
    longest_answer: int | None = None
    """Tokens after which an answer is cut off for good; None: as long as the context allows."""

    @property
    def bounds(self) -> dict[str, int]:
        """The pixel bounds that were given, under the image processor's names for them."""
        given = {"min_pixels": self.min_pixels, "max_pixels": self.max_pixels}
        return {name: value for name, value in given.items() if value is not None}


class QwenEngine:
    """Model, tokenizer and image processor in memory."""

    def __init__(self, model: Any, inputs: QwenInputs, longest_answer: int | None = None) -> None:
        self._model = model
        self._inputs = inputs
        self._longest_answer = longest_answer
        self._context = int(model.config.get_text_config().max_position_embeddings)
        self._ends = inputs.ends(_as_list(model.generation_config.eos_token_id))

    @classmethod
    def load(cls, source: QwenSource) -> "QwenEngine":
        """Load everything. Raises `ConfigurationError` in one line where that is impossible."""
        try:
            # transformers imports and builds models through global state: one load at a time in a process.
            with _LOADING:
                return cls(_load_model(source), _load_inputs(source), source.longest_answer)
        except ImportError as error:
            raise ConfigurationError(
                f"models in process need more packages: pip install 'anomagent[local]' ({error})"
            ) from error
        except (OSError, ValueError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigurationError(f"the model {source.source} cannot be loaded: {reason}") from error

    def answer(self, requests: Sequence[Request], abandoned: Callable[[], bool]) -> list[Outcome]:
        """One outcome for each request, in order; all requests have the same temperature.

        Generation stops early once `abandoned` says that nobody waits. What does not fit into memory is halved.
        """
        rows = [self._row(request) for request in requests]
        ready = [(request, row) for request, row in zip(requests, rows, strict=True) if isinstance(row, Inputs)]
        answers = iter(self._in_memory(ready, abandoned) if ready else [])
        return [next(answers) if isinstance(row, Inputs) else row for row in rows]

    def _row(self, request: Request) -> Inputs | ModelError:
        try:
            row = self._inputs.of(request)
        except ModelError as error:
            return error
        if len(row.ids) >= self._context:
            return BadRequest(
                f"prompt and image take {len(row.ids)} tokens, the model holds {self._context}; lower image_max_pixels"
            )
        return row

    def _in_memory(self, ready: list[tuple[Request, Inputs]], abandoned: Callable[[], bool]) -> list[Outcome]:
        try:
            return self._generate(ready, abandoned)
        except (RuntimeError, MemoryError, ValueError) as error:
            if not _out_of_memory(error):
                reason = " ".join(str(error).split())[:300]
                return [BadRequest(f"the model failed on this request: {reason}")] * len(ready)
        _free_memory()
        if len(ready) == 1:
            return [BadRequest("out of memory with a single image; lower image_max_pixels or choose a smaller model")]
        half = len(ready) // 2
        return self._in_memory(ready[:half], abandoned) + self._in_memory(ready[half:], abandoned)

    def _generate(self, ready: list[tuple[Request, Inputs]], abandoned: Callable[[], bool]) -> list[Outcome]:
        import torch

        rooms = [self._room(request, row) for request, row in ready]
        arguments = self._inputs.batch([row for _, row in ready])
        arguments = {name: tensor.to(self._model.device) for name, tensor in arguments.items()}
        words = dict.fromkeys(word for request, _ in ready for word in request.first_words)
        first = FirstTokens(words, lambda text: self._inputs.tokens(text, 0))
        with torch.inference_mode():
            output = self._model.generate(
                **arguments,
                **_sampling(ready[0][0].temperature),
                max_new_tokens=max(rooms),
                eos_token_id=self._ends,
                pad_token_id=self._inputs.padding,
                stopping_criteria=[_stop_when(abandoned)],
                logits_processor=[first.look] if words else [],
            )
        start = arguments["input_ids"].shape[1]
        answers: list[list[int]] = output[:, start:].tolist()
        return [
            replace(self._completion(request, row, ids, room), odds=first.odds(number, request.first_words))
            for number, ((request, row), ids, room) in enumerate(zip(ready, answers, rooms, strict=True))
        ]

    def _room(self, request: Request, row: Inputs) -> int:
        room = min(request.max_tokens, self._context - len(row.ids))
        return room if self._longest_answer is None else min(room, self._longest_answer)

    def _completion(self, request: Request, row: Inputs, ids: list[int], room: int) -> Completion:
        """Cut the answer at its end or its own room: a batch generates as long as its longest member needs."""
        end = next((place for place, token in enumerate(ids) if token in self._ends), len(ids))
        ended = end < min(len(ids), room)
        answer = ids[: min(end, room)]
        usage = Usage(input_tokens=len(row.ids), output_tokens=len(answer) + ended)
        reason = "stop" if ended else "length"
        return Completion(self._inputs.decode(answer), usage, reason, exhausted=not ended and room < request.max_tokens)


def _load_model(source: QwenSource) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()
    device = _device(source.device)
    dtype = source.dtype if source.dtype == "auto" else getattr(torch, source.dtype)
    # The factories are typed in part only, so what they make is open.
    model: Any = cast(Any, AutoModelForImageTextToText).from_pretrained(
        source.source, revision=source.revision, dtype=dtype
    )
    if source.dtype == "auto" and device == "cpu" and model.num_parameters() <= _SMALL:
        model = model.float()
    if device == "cpu" and model.num_parameters() <= _TINY:
        torch.set_num_threads(1)
    if source.adapter:
        model = _with_adapter(model, source.adapter)
    return model.to(device).eval()


def _load_inputs(source: QwenSource) -> QwenInputs:
    """An adapter that ships an image processor was trained with other pixel bounds than the model's own."""
    own = source.adapter and (Path(source.adapter) / "preprocessor_config.json").is_file()
    images = source.adapter if own and source.adapter else source.source
    return QwenInputs.load(source.source, source.revision, images, source.bounds)


def _with_adapter(model: Any, adapter: str) -> Any:
    """The model with a LoRA adapter. PEFT only warns where names do not fit, and adapts nothing: an error here."""
    import peft
    from peft.utils import save_and_load

    try:
        adapted: Any = cast(Any, peft.PeftModel).from_pretrained(model, adapter)
    except (RuntimeError, ValueError) as error:  # other sizes, or none of the layers
        reason = " ".join(str(error).split())[:200]
        raise ConfigurationError(f"the adapter {adapter} was not made for this model ({reason})") from error
    saved: set[str] = set(cast(Any, save_and_load).load_peft_weights(adapter, device="cpu"))
    expected: set[str] = set(cast(Any, peft).get_peft_model_state_dict(adapted))
    if saved != expected:
        stray = sorted(saved ^ expected)[0]
        raise ConfigurationError(f"the adapter {adapter} was not made for this model (see {stray})")
    return adapted


def _device(wanted: str) -> str:
    import torch

    if wanted != "auto":
        return wanted
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _sampling(temperature: float | None) -> dict[str, Any]:
    """Greedy unless a temperature is given; a model's own sampling defaults never apply unasked."""
    if temperature:
        return {"do_sample": True, "temperature": temperature, "top_p": 1.0, "top_k": 0}
    return {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}


def _stop_when(abandoned: Callable[[], bool]) -> Callable[..., Any]:
    import torch

    def stop(input_ids: Any, scores: Any, **_: Any) -> Any:
        return torch.full((input_ids.shape[0],), abandoned(), dtype=torch.bool, device=input_ids.device)

    return stop


def _out_of_memory(error: Exception) -> bool:
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def _free_memory() -> None:
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def _as_list(value: int | list[int] | None) -> list[int]:
    if value is None:
        return []
    return [value] if isinstance(value, int) else value
