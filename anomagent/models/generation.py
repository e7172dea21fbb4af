"""Qwen-VL through transformers: loading, batches with one image each, generation. Imports torch; import it lazily."""

import inspect
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from PIL import Image
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer
from transformers.utils.logging import disable_progress_bar

from anomagent.errors import ConfigurationError

SMALL = 2**30
"""Bytes of weights up to which a model runs in float32 and on one thread: starting threads costs more than they save."""


@dataclass(frozen=True)
class Conversation:
    """One image and the turns about it, as (role, text); the image stands before the first user turn's text."""

    image: Image.Image
    system: str
    turns: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Generated:
    """One answer."""

    text: str
    prompt_tokens: int
    tokens: int
    finished: bool
    """Whether the model ended the answer itself."""
    exhausted: bool
    """Whether the model's context, not the requested size, ended it."""


class Generator:
    """A loaded model. Not thread-safe: use it from one thread."""

    def __init__(self, name: str, adapter: str | None = None) -> None:
        """Load the model `name` (directory or hub id) and the LoRA `adapter`. Raises `ConfigurationError`."""
        try:
            self._load(name, adapter)
        except (OSError, ValueError) as error:
            reason = str(error).strip().splitlines()[0]
            raise ConfigurationError(f"qwen-vl:{name}: cannot load the model: {reason}") from error

    def generate(
        self, conversations: Sequence[Conversation], max_tokens: int, temperature: float | None
    ) -> list[Generated]:
        """Answer all conversations in one batch, greedily unless a temperature above 0 is given."""
        inputs = self._inputs(conversations)
        prompt = int(inputs["input_ids"].shape[1])
        room = min(max_tokens, self._context - prompt)
        if room < 1:
            longest = [int(row.sum()) for row in inputs["attention_mask"]]
            return [Generated("", tokens, 0, finished=False, exhausted=True) for tokens in longest]
        sampling: dict[str, Any] = (
            {"do_sample": True, "temperature": temperature} if temperature else {"do_sample": False}
        )
        with torch.inference_mode():
            output = self._model.generate(**inputs, max_new_tokens=room, **sampling)
        return [
            self._generated(row[prompt:].tolist(), int(mask.sum()), exhausted=room < max_tokens)
            for row, mask in zip(output, inputs["attention_mask"], strict=True)
        ]

    def _load(self, name: str, adapter: str | None) -> None:
        disable_progress_bar()
        device = "cuda" if torch.cuda.is_available() else "cpu"
        small = _weight_bytes(Path(name)) < SMALL
        if small:
            torch.set_num_threads(1)
        self._tokenizer: Any = AutoTokenizer.from_pretrained(name, padding_side="left")
        self._tokenizer.chat_template = self._tokenizer.chat_template or _processor_template(Path(name))
        # AutoProcessor would load the video processor, and that needs torchvision.
        self._images: Any = AutoImageProcessor.from_pretrained(name)
        model: Any = AutoModelForImageTextToText.from_pretrained(
            name, dtype=torch.float32 if small and device == "cpu" else "auto"
        )
        if adapter is not None:
            from peft import PeftModel

            model = PeftModel.from_pretrained(model, adapter)
        self._model: Any = model.to(device).eval()
        config = model.config
        self._image_token = int(config.image_token_id)
        self._context = int(config.get_text_config().max_position_embeddings)
        ends = model.generation_config.eos_token_id
        self._ends = set(ends if isinstance(ends, list) else [ends])
        base = model.get_base_model() if adapter is not None else model
        # Without the token types some versions silently give an image one-dimensional positions.
        self._typed = "mm_token_type_ids" in inspect.signature(base.forward).parameters

    def _inputs(self, conversations: Sequence[Conversation]) -> dict[str, Any]:
        images = self._images(images=[conversation.image for conversation in conversations], return_tensors="pt")
        cells = int(self._images.merge_size) ** 2
        sizes = [int(grid.prod()) // cells for grid in images["image_grid_thw"]]
        texts = [self._text(conversation, size) for conversation, size in zip(conversations, sizes, strict=True)]
        tokens = self._tokenizer(texts, return_tensors="pt", padding=True, add_special_tokens=False)
        inputs = {
            "input_ids": tokens["input_ids"],
            "attention_mask": tokens["attention_mask"],
            "pixel_values": images["pixel_values"].to(self._model.dtype),
            "image_grid_thw": images["image_grid_thw"],
        }
        if self._typed:
            inputs["mm_token_type_ids"] = (tokens["input_ids"] == self._image_token).int()
        found = int((inputs["input_ids"] == self._image_token).sum())
        if found != sum(sizes):
            raise ConfigurationError(f"the chat template gives {found} image tokens for {sum(sizes)}; is it Qwen-VL's?")
        return {name: value.to(self._model.device) for name, value in inputs.items()}

    def _text(self, conversation: Conversation, image_tokens: int) -> str:
        """The rendered chat, its one image mark repeated for each token of the image; marks in texts are disarmed."""
        mark = self._tokenizer.decode([self._image_token])
        messages: list[dict[str, Any]] = [{"role": "system", "content": _disarmed(conversation.system)}]
        for position, (role, text) in enumerate(conversation.turns):
            part = {"type": "text", "text": _disarmed(text)}
            messages.append({"role": role, "content": [part] if position else [{"type": "image"}, part]})
        chat: str = self._tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
        return chat.replace(mark, mark * image_tokens)

    def _generated(self, tokens: list[int], prompt_tokens: int, exhausted: bool) -> Generated:
        end = next((position for position, token in enumerate(tokens) if token in self._ends), None)
        text: str = self._tokenizer.decode(tokens[:end], skip_special_tokens=True)
        finished = end is not None
        count = len(tokens) if end is None else end + 1
        return Generated(text, prompt_tokens, count, finished, exhausted and not finished)


def _disarmed(text: str) -> str:
    """Text in which the control marks of the chat format are words: a model's earlier answer may hold anything."""
    return text.replace("<|", "< |")


def _weight_bytes(directory: Path) -> int:
    """Bytes of a local directory's weights; unbounded for a hub id, whose size is not known yet."""
    files = list(directory.glob("*.safetensors")) if directory.is_dir() else []
    return sum(file.stat().st_size for file in files) if files else 2 * SMALL


def _processor_template(directory: Path) -> str | None:
    """The chat template of older checkpoints, which keep it beside the tokenizer."""
    path = directory / "chat_template.json"
    return json.loads(path.read_text())["chat_template"] if path.exists() else None
