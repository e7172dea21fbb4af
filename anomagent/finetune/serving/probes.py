# pyright: basic
"""Probes: a few small pictures with the training question, asked of models here and behind servers."""

import hashlib
import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from PIL import Image, ImageDraw

from anomagent.errors import UsageError
from anomagent.finetune.serving.bases import Base
from anomagent.finetune.serving.bounds import Bounds
from anomagent.finetune.serving.libraries import quiet, refusals, short
from anomagent.models.qwen_inputs import Inputs, QwenInputs
from anomagent.models.types import Request
from anomagent.prompts.anomaly_reporter import render_report

TOKENS: Final = 32
"""Of an answer that is compared: enough to see an adapter, few enough for a large model on a CPU."""
_WHOLE = 10**9
"""Pixels: a probe is never scaled down before the model's own processor sees it."""
_LARGEST = 2048 * 2048
"""Pixels of a probe; larger ones would fill the context of servers that have no upper bound."""
_PICTURES = ((336, 448), (448, 336), (392, 392))
"""Width and height in pixels; small enough to be sent as PNG, so that servers see the same pixels."""


@dataclass(frozen=True)
class Probe:
    """A picture and a question."""

    name: str
    size: tuple[int, int]
    """Width and height in pixels."""
    request: Request


def answer_probes(folder: Path) -> list[Probe]:
    """Probes whose answers are compared; the pictures are drawn into `folder`."""
    return [_probe(folder, number, size, TOKENS) for number, size in enumerate(_PICTURES)]


def size_probes(folder: Path, bounds: Bounds) -> list[Probe]:
    """Probes whose tokens are counted: below the lower bound, between both, and above the upper one.

    Where the upper bound lies above 2048 x 2048 pixels, nothing above it is asked about.
    """
    below, above = math.sqrt(bounds.least) * 0.6, math.sqrt(min(1.7 * bounds.most, _LARGEST))
    between = math.sqrt(math.sqrt(bounds.least) * math.sqrt(min(bounds.most, _LARGEST)))
    shapes = [(below, below), (between * 1.25, between * 0.8), (above * 1.15, above / 1.15)]
    sizes = [(max(8, round(width)), max(8, round(height))) for width, height in shapes]
    return [_probe(folder, number, size, 1) for number, size in enumerate(sizes)]


def text_probe() -> Request:
    """The same question without a picture."""
    return Request(render_report("classic"), None, "", _WHOLE, 1, 0.0)


class Local:
    """A model in memory that answers probes one at a time, so that batching changes no number."""

    def __init__(self, model: Any, inputs: QwenInputs) -> None:
        self.model = model
        self._inputs = inputs
        ends = model.generation_config.eos_token_id
        self._ends = inputs.ends(ends if isinstance(ends, list) else [] if ends is None else [ends])
        marks = (getattr(model.config, name, None) for name in ("image_token_id", "video_token_id"))
        self._marks = [mark for mark in marks if mark is not None]

    def prompt(self, request: Request) -> list[int]:
        """The tokens of the question, picture included."""
        return self._inputs.of(request).ids

    def answer(self, request: Request) -> list[int]:
        """The greedy answer, at most `request.max_tokens` tokens, its end included."""
        import torch

        row = self._inputs.of(request)
        with torch.inference_mode():
            output = self.model.generate(
                **self._arguments(row),
                do_sample=False,
                temperature=None,
                top_p=None,
                top_k=None,
                repetition_penalty=1.0,
                max_new_tokens=request.max_tokens,
                eos_token_id=self._ends,
                pad_token_id=self._inputs.padding,
                # A picture's mark in an answer would ask for a picture when the answer is looked at.
                suppress_tokens=self._marks,
            )
        return output[0, len(row.ids) :].tolist()

    def plain(self, request: Request) -> str:
        """The words of the base, without the adapter on it."""
        with self.model.disable_adapter():
            return self.text(self.answer(request))

    def text(self, tokens: Sequence[int]) -> str:
        """The words of an answer."""
        return self._inputs.decode([token for token in tokens if token not in self._ends])

    def gap(self, request: Request, text: str) -> float:
        """How far, at its worst place, an answer lies behind what this model would have said: 0 for its own.

        Infinite for an answer without any token that this model could say.
        """
        answer = self._inputs.tokens(text, 0)
        if not answer:
            return math.inf
        at = self.logits(request, answer)
        return max(float(row.max() - row[token]) for row, token in zip(at, answer, strict=True))

    def logits(self, request: Request, answer: Sequence[int]) -> Any:
        """Answer x vocabulary, 32 bits: what the model would say at each place of `answer`."""
        import torch

        row = self._inputs.of(request)
        whole = Inputs([*row.ids, *answer], row.image)
        with torch.inference_mode():
            output = self.model(**self._arguments(whole), logits_to_keep=len(answer) + 1, use_cache=False)
        return output.logits[0, :-1].float().cpu()

    def _arguments(self, row: Inputs) -> dict[str, Any]:
        return {name: tensor.to(self.model.device) for name, tensor in self._inputs.batch([row]).items()}


def inputs_of(base: Base, images: Path) -> QwenInputs:
    """The base's tokenizer with the image processor in `images`, as prediction puts them together.

    Raises `UsageError` where there is none.
    """
    try:
        with quiet():
            return QwenInputs.load(str(base.directory), None, str(images), {})
    except (OSError, AttributeError, LookupError, *refusals()) as error:
        raise UsageError(f"{base.name}: its tokenizer cannot be loaded ({short(error)}); download it again") from error


def _probe(folder: Path, number: int, size: tuple[int, int], tokens: int) -> Probe:
    """A disc over a slope of colour; another picture for each number."""
    width, height = size
    slope = Image.linear_gradient("L").resize(size)
    picture = Image.merge("RGB", [slope, slope.rotate(180), Image.new("L", size, 60 + 60 * number)])
    box = (width // 4, height // 4, max(width // 4, width // 2 + 9 * number), max(height // 4, 3 * height // 4))
    ImageDraw.Draw(picture).ellipse(box, fill=("red", "white", "blue")[number])
    path = folder / f"{tokens}-{number}.png"
    picture.save(path)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    request = Request(render_report("classic"), str(path), digest, _WHOLE, tokens, 0.0)
    return Probe(f"{width} x {height}", size, request)
