"""How many tokens a conversation about an image takes, by the model's own tokenizer and image processor."""

import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, cast

from PIL import Image

from anomagent.config import AnalysisOptions
from anomagent.errors import BadRequest, ConfigurationError, UsageError
from anomagent.models.embedded import DIRECTORY
from anomagent.models.files import directory_hash
from anomagent.models.image_tokens import scaled_size
from anomagent.models.qwen_inputs import IMAGE_TOKEN, QwenInputs
from anomagent.prompts.anomaly_reporter import SYSTEM
from anomagent.prompts.base import Turn

FIRST_BOUND: Final[int] = AnalysisOptions.model_fields["image_max_pixels"].default
"""Pixels to which larger images are scaled down before the model's own bounds apply, as in every analysis."""

_EMBEDDED: Final = "embedded"
_PREFIX: Final = "qwen-vl:"


class TokenCounter:
    """Counts as training and serving do: the whole conversation in the chat template, the image in its cells."""

    def __init__(self, inputs: QwenInputs, identity: str, layers: int | None = None) -> None:
        self.inputs = inputs
        self.identity = identity
        """The model whose tokens these are; of a directory, with the hash of its content."""
        self.layers = layers
        """Layers of its language model, where its configuration says so."""
        self._cells: dict[tuple[int, int], int] = {}
        # What is tried while an image's anomalies are packed is asked for again when they are written.
        self._counted = lru_cache(maxsize=64)(self._count)

    @classmethod
    def load(cls, model: str, min_pixels: int, max_pixels: int, revision: str | None = None) -> "TokenCounter":
        """Read tokenizer and image processor of a directory, a hub id or `embedded`; weights stay unread.

        Raises `ConfigurationError` in one line where that is impossible or the model is no Qwen-VL.
        """
        if min_pixels > max_pixels:
            raise ConfigurationError(f"--min-pixels {min_pixels} is more than --max-pixels {max_pixels}; swap them")
        source = str(DIRECTORY) if model == _EMBEDDED else model.removeprefix(_PREFIX)
        bounds = {"min_pixels": min_pixels, "max_pixels": max_pixels}
        try:
            inputs = QwenInputs.load(source, revision, source, bounds)
            inputs.cells_of_size(224, 224)
            return cls(inputs, _identity(model, source), _layers(source, revision))
        except ImportError as error:
            raise ConfigurationError(
                f"counting tokens needs more packages: pip install 'anomagent[local]' ({error})"
            ) from error
        except (OSError, ValueError, TypeError, AttributeError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:300]
            raise ConfigurationError(
                f"--model {model}: no tokenizer and image processor of a Qwen-VL model can be read there ({reason}); "
                "give the directory of a downloaded model"
            ) from error

    @property
    def template_sha256(self) -> str:
        """Of the chat template."""
        return hashlib.sha256(self.inputs.template.encode()).hexdigest()

    def image(self, width: int, height: int) -> int:
        """Tokens of an image of this size, its upright sides in pixels. Raises `UsageError` for one too thin."""
        if (width, height) not in self._cells:
            try:
                self._cells[width, height] = self.inputs.cells_of_size(*scaled_size(width, height, FIRST_BOUND))
            except BadRequest as error:
                raise UsageError(f"{width} x {height} pixels: {error}") from error
        return self._cells[width, height]

    def text(self, turns: Sequence[tuple[str, str]]) -> int:
        """Tokens of a conversation of (question, answer) pairs, the frame around its image included, its cells not."""
        return self._counted(tuple(turns))

    def _count(self, turns: tuple[tuple[str, str], ...]) -> int:
        return len(self.inputs.tokens(self.layout(turns), 1)) - 1

    def layout(self, turns: Sequence[tuple[str, str]]) -> str:
        """The conversation as the model reads it, one `IMAGE_TOKEN` standing for the image."""
        said = [Turn(*turn) for pair in turns for turn in zip(("user", "assistant"), pair, strict=True)]
        return self.inputs.layout(SYSTEM, said, image=True, ask=False)

    def prove(self, sizes: Iterable[tuple[int, int]]) -> None:
        """Give images of these sizes to the image processor. Raises `ConfigurationError` where it counts otherwise."""
        for width, height in sizes:
            blank = Image.new("RGB", scaled_size(width, height, FIRST_BOUND))
            made: Any = self.inputs.image_processor(images=[blank], return_tensors="np")
            found = int(made["image_grid_thw"].prod()) // self.inputs.image_processor.merge_size**2
            if found != self.image(width, height):
                raise ConfigurationError(
                    f"the image processor of {self.identity} makes {found} tokens of {width} x {height} pixels, where "
                    f"{self.image(width, height)} were foreseen; its pixel bounds do not hold"
                )


def shown_layout(counter: TokenCounter, turns: Sequence[tuple[str, str]], cells: int) -> str:
    """The layout with the image's cells as a number, for people."""
    return counter.layout(turns).replace(IMAGE_TOKEN, f"{IMAGE_TOKEN} x {cells}", 1)


def _identity(model: str, source: str) -> str:
    directory = Path(source).expanduser()
    return f"{directory.resolve().name}@{directory_hash(directory)}" if directory.is_dir() else model


def _layers(source: str, revision: str | None) -> int | None:
    from transformers import AutoConfig

    config: Any = cast(Any, AutoConfig).from_pretrained(source, revision=revision)
    return getattr(config.get_text_config(), "num_hidden_layers", None)
