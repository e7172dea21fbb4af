# pyright: basic
"""The base model of a training run: found, checked and loaded, or built without weights on the meta device."""

import hashlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from anomagent.errors import ConfigurationError
from anomagent.finetune.config import EMBEDDED, TrainConfig
from anomagent.models.embedded import DIRECTORY
from anomagent.models.files import directory_hash
from anomagent.models.qwen_inputs import QwenInputs
from anomagent.models.qwen_vl import FAMILIES

SKIPPED = ["model.visual", "lm_head"]
"""What stays in bf16 beside weights of 4 bits. The full name: "visual" alone would not be found, silently."""
VISION = "model.visual."


@dataclass(frozen=True)
class Base:
    """A base model whose configuration was read."""

    name: str
    """As the configuration has it."""
    source: str
    """Directory or hub id."""
    revision: str
    """Of a hub id its commit, of a directory a hash of its content."""
    config: Any
    has_weights: bool

    @property
    def layers(self) -> int:
        """Layers of the language model."""
        return self.config.get_text_config().num_hidden_layers


def find_base(config: TrainConfig) -> Base:
    """Read the base model's configuration. Raises `ConfigurationError` in one line where there is none of use."""
    from transformers import AutoConfig

    source = str(DIRECTORY) if config.base == EMBEDDED else config.base
    directory = Path(source) if Path(source).is_dir() else None
    if directory is None and (source.startswith((".", "/", "~")) or source.count("/") != 1):
        raise ConfigurationError(f"base {source}: there is no such directory, and it is no hub id (OWNER/NAME)")
    try:
        found = AutoConfig.from_pretrained(source, revision=config.revision)
    except (OSError, ValueError, KeyError) as error:
        raise ConfigurationError(
            f"base {source}: its configuration cannot be read here or on the hub ({_short(error)});"
            " give the directory of a downloaded model"
        ) from error
    if found.model_type not in FAMILIES:
        known = ", ".join(sorted(FAMILIES))
        raise ConfigurationError(f"base {source}: this is a model of type {found.model_type}; known are {known}")
    revision = directory_hash(directory) if directory else str(getattr(found, "_commit_hash", None) or config.revision)
    weights = directory is None or any(directory.glob("*.safetensors")) or any(directory.glob("*.bin"))
    return Base(config.base, source, revision, found, weights)


def check_loadable(base: Base, config: TrainConfig) -> None:
    """Raises `ConfigurationError` where the weights are missing or cannot be held as the run wants."""
    if not base.has_weights:
        raise ConfigurationError(f"base {base.source}: holds no weights (*.safetensors); only --dry-run works with it")
    quantisation(config)


def load_inputs(base: Base, config: TrainConfig) -> QwenInputs:
    """The base model's tokenizer and image processor under the run's pixel bounds. Raises `ConfigurationError`."""
    try:
        return QwenInputs.load(base.source, config.revision, base.source, config.images.bounds)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"base {base.source}: its tokenizer or image processor cannot be loaded ({_short(error)})"
        ) from error


def load_model(base: Base, config: TrainConfig) -> Any:
    """The model with its weights, on the CPU (in 4 bits: on the GPU). Raises `ConfigurationError` in one line."""
    import torch
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging

    logging.disable_progress_bar()
    dtype = torch.bfloat16 if config.training.precision == "bf16" else torch.float32
    try:
        return AutoModelForImageTextToText.from_pretrained(
            base.source,
            revision=config.revision,
            dtype=dtype,
            attn_implementation=config.attention,
            **quantisation(config),
        )
    except (OSError, ValueError, RuntimeError, ImportError) as error:
        raise ConfigurationError(f"base {base.source}: cannot be loaded: {_short(error)}") from error


def meta_model(base: Base, config: TrainConfig) -> Any:
    """The model without weights: its modules and shapes."""
    import torch
    from transformers import AutoModelForImageTextToText

    dtype = torch.bfloat16 if config.training.precision == "bf16" else torch.float32
    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(base.config, dtype=dtype)


def vision_hash(model: Any) -> str:
    """SHA-256 of all weights of the vision tower. Raises `RuntimeError` if one of them would be trained."""
    import torch

    digest, count = hashlib.sha256(), 0
    for name, parameter in sorted(model.named_parameters()):
        if VISION in f"{name}.":
            if parameter.requires_grad or parameter.grad is not None:
                raise RuntimeError(f"the vision tower is not frozen: {name}")
            digest.update(name.encode())
            digest.update(parameter.detach().contiguous().flatten().view(torch.uint8).cpu().numpy().tobytes())
            count += 1
    if not count:
        raise RuntimeError(f"the base model has no vision tower under {VISION}")
    return digest.hexdigest()


def quantisation(config: TrainConfig) -> dict[str, Any]:
    """Arguments of loading in 4 bits, where the run wants that. Raises `ConfigurationError` where it is impossible."""
    if config.quantise is None:
        return {}
    import torch
    from transformers import BitsAndBytesConfig

    if importlib.util.find_spec("bitsandbytes") is None:
        raise ConfigurationError("quantise: 4 bits need one more package: pip install bitsandbytes")
    if not torch.cuda.is_available():
        raise ConfigurationError("quantise: 4 bits need a CUDA GPU; leave quantise out")
    made = BitsAndBytesConfig(
        load_in_4bit=True,
        bnb_4bit_quant_type=config.quantise,
        bnb_4bit_use_double_quant=True,
        bnb_4bit_compute_dtype=torch.bfloat16,
        llm_int8_skip_modules=SKIPPED,
    )
    return {"quantization_config": made, "device_map": {"": int(os.environ.get("LOCAL_RANK", "0"))}}


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:300] or type(error).__name__
