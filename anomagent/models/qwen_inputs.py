"""From a request to the tensors of a Qwen-VL model, without its processor class, which needs torchvision."""

import json
import re
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from anomagent.errors import BadRequest, UsageError
from anomagent.models.imaging import load_rgb
from anomagent.models.types import Request
from anomagent.prompts.base import Turn

if TYPE_CHECKING:
    import torch

IMAGE_TOKEN = "<|image_pad|>"
_CONTROL = re.compile(r"<\|(\w+)\|>")
_LAYOUT = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{% if m.content is string %}{{ m.content }}{% else %}"
    "{% for p in m.content %}{% if p.type == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% else %}{{ p.text }}{% endif %}{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
"""Qwen's layout of a conversation, for directories that come without one."""


@dataclass(frozen=True)
class Patches:
    """One image as the model takes it."""

    pixel_values: "torch.Tensor"
    """Patches x values of a patch."""
    grid: "torch.Tensor"
    """1 x 3: frames, rows and columns of patches."""


@dataclass(frozen=True)
class Inputs:
    """One conversation in tokens, and its image in patches."""

    ids: list[int]
    image: Patches | None
    """None: text alone."""


class QwenInputs:
    """Tokenizer and image processor of one model directory. Loading takes from the disk only."""

    def __init__(self, tokenizer: Any, image_processor: Any, template: str | None = None) -> None:
        self._tokenizer = tokenizer
        self.image_processor = image_processor
        self.template: str = template or tokenizer.chat_template or _LAYOUT
        self.image_id = int(tokenizer.convert_tokens_to_ids(IMAGE_TOKEN))
        self._patches: OrderedDict[tuple[str, int], Patches] = OrderedDict()
        self.padding = int(tokenizer.pad_token_id if tokenizer.pad_token_id is not None else tokenizer.eos_token_id)

    @classmethod
    def load(cls, source: str, revision: str | None, images: str, bounds: dict[str, int]) -> "QwenInputs":
        """Read the tokenizer from `source` and the image processor from `images`, `bounds` being its pixel bounds."""
        from transformers import AutoImageProcessor, AutoTokenizer

        tokenizer: Any = cast(Any, AutoTokenizer).from_pretrained(source, revision=revision)
        # The bounds go in under their old names: a `size` would be overridden by old names in the configuration.
        processor: Any = cast(Any, AutoImageProcessor).from_pretrained(
            images, revision=revision if images == source else None, **bounds
        )
        return cls(tokenizer, processor, _separate_template(Path(source)))

    def of(self, request: Request) -> Inputs:
        """The tensors of one request. Raises `BadRequest` for an image that the model cannot take."""
        path, turns = request.image_path, (Turn("user", request.prompt.text), *request.turns)
        image = self.patches(path, request.image_sha256, request.max_pixels) if path is not None else None
        text = self.layout(request.prompt.system, turns, image=image is not None, ask=True)
        return Inputs(self.tokens(text, self.cells(image) if image else 0), image)

    def layout(self, system: str, turns: Sequence[Turn], *, image: bool, ask: bool) -> str:
        """A conversation as the model reads it, the image before the first turn's text.

        `ask`: it ends where the model begins to answer.
        """
        parts: list[dict[str, Any]] = [{"type": "image"}] if image else []
        parts.append({"type": "text", "text": harmless(turns[0].text)})
        messages: list[dict[str, Any]] = [
            {"role": "system", "content": harmless(system)},
            {"role": "user", "content": parts},
        ]
        messages += [{"role": turn.speaker, "content": harmless(turn.text)} for turn in turns[1:]]
        return self._tokenizer.apply_chat_template(
            messages, chat_template=self.template, tokenize=False, add_generation_prompt=ask
        )

    def tokens(self, text: str, cells: int) -> list[int]:
        """The tokens of a layout whose image takes `cells` tokens. Raises `BadRequest` if the template gives others."""
        text = text.replace(IMAGE_TOKEN, IMAGE_TOKEN * cells, 1)
        ids: list[int] = self._tokenizer(text, add_special_tokens=False)["input_ids"]
        if (found := ids.count(self.image_id)) != cells:
            raise BadRequest(f"the chat template gave {found} image tokens for {cells} patches; it is not Qwen-VL's")
        return ids

    def patches(self, path: str, sha256: str, max_pixels: int) -> Patches:
        """The image's patches; the last few are kept, since many calls are about one image. Raises `BadRequest`."""
        key = (sha256, max_pixels)
        if key not in self._patches:
            try:
                image = load_rgb(path, max_pixels)
                made = self.image_processor(images=[image], return_tensors="pt")
            except (UsageError, ValueError) as error:
                raise BadRequest(f"this model cannot take the image: {error}") from error
            self._patches[key] = Patches(made["pixel_values"], made["image_grid_thw"])
            if len(self._patches) > 8:
                self._patches.popitem(last=False)
        return self._patches[key]

    def cells(self, image: Patches) -> int:
        """Tokens that the image takes: its patches, merged."""
        return int(image.grid.prod()) // self.image_processor.merge_size**2

    def cells_of_size(self, width: int, height: int) -> int:
        """Tokens that an image of this size would take. Raises `BadRequest` for proportions that the model refuses."""
        try:
            patches: int = self.image_processor.get_number_of_image_patches(height, width, {})
        except ValueError as error:
            raise BadRequest(f"this model cannot take the image: {error}") from error
        return patches // self.image_processor.merge_size**2

    def batch(self, rows: Sequence[Inputs]) -> dict[str, Any]:
        """The rows, some perhaps without an image, as the model's arguments, padded on the left to the same length."""
        import torch

        length = max(len(row.ids) for row in rows)
        ids = torch.tensor([[self.padding] * (length - len(row.ids)) + row.ids for row in rows])
        mask = torch.tensor([[0] * (length - len(row.ids)) + [1] * len(row.ids) for row in rows])
        arguments = {"input_ids": ids, "attention_mask": mask}
        if images := [row.image for row in rows if row.image]:
            # Without the types positions silently fall back to one dimension.
            arguments["mm_token_type_ids"] = ((ids == self.image_id) & mask.bool()).int()
            arguments["pixel_values"] = torch.cat([image.pixel_values for image in images])
            arguments["image_grid_thw"] = torch.cat([image.grid for image in images])
        return arguments

    def decode(self, ids: Sequence[int]) -> str:
        """The text of an answer."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=True, clean_up_tokenization_spaces=False)

    def spell(self, ids: Sequence[int]) -> str:
        """The text of these tokens, control tokens included."""
        return self._tokenizer.decode(list(ids), skip_special_tokens=False, clean_up_tokenization_spaces=False)

    def ends(self, more: Sequence[int]) -> list[int]:
        """Tokens that end an answer: the tokenizer's, Qwen's end of turn, and `more`."""
        known = (self._tokenizer.convert_tokens_to_ids(token) for token in ("<|im_end|>", "<|endoftext|>"))
        unknown = self._tokenizer.unk_token_id
        ids = {self._tokenizer.eos_token_id, *more, *(i for i in known if i != unknown)}
        return sorted(int(i) for i in ids if i is not None)


def harmless(text: str) -> str:
    """Text that cannot be read as a control token, whatever a model or a picture put into it."""
    return _CONTROL.sub(r"< |\1| >", text)


def _separate_template(directory: Path) -> str | None:
    """The template of older directories, which keep it in a file of its own."""
    path = directory / "chat_template.json"
    return json.loads(path.read_text(encoding="utf-8")).get("chat_template") if path.is_file() else None
