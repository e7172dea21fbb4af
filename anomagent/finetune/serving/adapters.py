"""LoRA adapters on the disk: read strictly, and compared with the modules of the base that they are for."""

import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from anomagent.errors import UsageError
from anomagent.finetune.serving.bases import Base
from anomagent.finetune.serving.bounds import Bounds, pixel_bounds
from anomagent.finetune.serving.libraries import quiet, short, undamaged

CONFIG: Final = "adapter_config.json"
WEIGHTS: Final = "adapter_model.safetensors"
_LONGEST_CONFIG = 2**20
"""Bytes; a real one has a few thousand."""
_STRANGE = (
    "megatron_config",
    "layer_replication",
    "alora_invocation_tokens",
    "arrow_config",
    "target_parameters",
    "trainable_token_indices",
    "use_bdlora",
    "use_qalora",
)
"""Kinds of LoRA that no fine-tuning here makes, and that change more than the weights of linear layers."""
_LAYER = re.compile(r"\b(?:language_model|model\.model)\.layers\.(\d+)\.")
_OLD = re.compile(r"^base_model\.model\.(model\.layers\.|visual\.)")

Shapes = Mapping[str, tuple[int, ...]]
"""The tensors of an adapter by name."""


class AdapterConfig(BaseModel):
    """What `adapter_config.json` says that matters here."""

    model_config = ConfigDict(frozen=True, populate_by_name=True)

    peft_type: Literal["LORA"]
    base: str | None = Field(None, alias="base_model_name_or_path")
    """Directory or hub id of the model that was trained."""
    rank: int = Field(alias="r", ge=1, le=4096)
    alpha: float = Field(alias="lora_alpha", gt=0, allow_inf_nan=False)
    dropout: float = Field(0.0, alias="lora_dropout", ge=0, lt=1)
    target_modules: str | list[str] | None = None
    rank_pattern: dict[str, int] = Field(default_factory=dict)
    bias: str = "none"
    use_dora: bool = False
    modules_to_save: list[str] | None = None

    @model_validator(mode="before")
    @classmethod
    def _plain(cls, values: Any) -> Any:
        if isinstance(values, dict) and (name := next((n for n in _STRANGE if cast(Any, values).get(n)), None)):
            raise ValueError(f"{name} is set, which is no plain LoRA")
        return cast(Any, values)


@dataclass(frozen=True)
class Adapter:
    """A LoRA adapter: its configuration and the shapes of its tensors, no weights."""

    directory: Path
    config: AdapterConfig
    shapes: Shapes

    @property
    def modules(self) -> list[str]:
        """The adapted modules, as the base names them."""
        return sorted({_module(name) for name in self.shapes})

    @property
    def kinds(self) -> list[str]:
        """The last parts of the modules' names, such as q_proj."""
        return sorted({module.rpartition(".")[2] for module in self.modules})

    @property
    def layers(self) -> list[int]:
        """Numbers of the adapted layers of the language model."""
        return sorted({int(found[1]) for name in self.shapes if (found := _LAYER.search(name))})

    @property
    def parameters(self) -> int:
        """How many numbers were trained."""
        return sum(math.prod(shape) for shape in self.shapes.values())

    @property
    def rank(self) -> int:
        """The largest rank of any module."""
        return max(self.config.rank, *self.config.rank_pattern.values(), 0)

    @property
    def bounds(self) -> Bounds | None:
        """The pixel bounds of the training, None where none are stored. Raises `UsageError` for unusable ones."""
        return pixel_bounds(self.directory) if (self.directory / "preprocessor_config.json").is_file() else None

    def facts(self) -> dict[str, Any]:
        """What it is, as plain JSON."""
        return {
            "directory": str(self.directory),
            "base": self.config.base,
            "rank": self.rank,
            "alpha": self.config.alpha,
            "dropout": self.config.dropout,
            "modules": len(self.modules),
            "kinds": self.kinds,
            "layers": self.layers,
            "trainable_parameters": self.parameters,
        }


def read_adapter(directory: Path) -> Adapter:
    """The adapter in `directory`. Raises `UsageError` that names the file that is missing or damaged."""
    if not directory.is_dir():
        raise UsageError(f"{directory}: there is no such directory; give the folder that holds {CONFIG}")
    config = directory / CONFIG
    if not config.is_file():
        raise UsageError(f"{directory}: is no adapter, it has no {CONFIG}{_hint(directory)}")
    return Adapter(directory, _read_config(config), _read_shapes(directory))


def weight_problem(adapter: Adapter) -> str | None:
    """What is wrong with the numbers themselves: not finite, or a LoRA B that is zero everywhere."""
    import torch

    trained = False
    with undamaged(adapter.directory / WEIGHTS) as tensors:
        for name in adapter.shapes:
            tensor = tensors.get_tensor(name).float()
            if not bool(torch.isfinite(tensor).all()):
                return f"{name} holds numbers that are not finite; take a checkpoint from before the loss broke"
            trained = trained or ("lora_A" not in name and bool(tensor.any()))
    return None if trained else "every lora_B is zero: nothing was trained, and it changes nothing; train it"


def expected_shapes(base: Base, adapter: Adapter) -> Shapes:
    """The tensors that an adapter of this configuration has on `base`; from the base's configuration, no weights.

    Raises `UsageError` where the base has none of the modules.
    """
    import peft

    try:
        with quiet():
            config: Any = cast(Any, peft.LoraConfig).from_pretrained(str(adapter.directory))
            adapted: Any = cast(Any, peft).get_peft_model(base.skeleton(), config)
            state: Mapping[str, Any] = cast(Any, peft).get_peft_model_state_dict(adapted)
    except (ValueError, TypeError, KeyError, RuntimeError, re.error) as error:
        raise UsageError(f"{base.name} has not the modules of this adapter ({short(error)}); give its base") from error
    return {name: tuple(tensor.shape) for name, tensor in state.items()}


def key_problem(saved: Shapes, expected: Shapes) -> str | None:
    """How the tensors of an adapter differ from what its base wants; PEFT would warn and adapt nothing."""
    if old := next((name for name in saved if _OLD.match(name) and name not in expected), None):
        return (
            f"{old} is a name of the old layout, which current transformers ignore: rename model.layers to"
            " model.language_model.layers (and visual to model.visual) in the weights and in target_modules"
        )
    missing, extra = sorted(expected.keys() - saved.keys()), sorted(saved.keys() - expected.keys())
    if missing:
        return f"{len(missing)} of {len(expected)} tensors are missing, such as {missing[0]}; save the adapter again"
    if extra:
        return f"{len(extra)} tensors are of no module of the base, such as {extra[0]}; give the base it was made for"
    for name, shape in sorted(saved.items()):
        if shape != expected[name]:
            return f"{name} has shape {shape}, the base wants {expected[name]}; give the base it was made for"
    return None


def check_keys(base: Base, adapter: Adapter) -> None:
    """Raises `UsageError` unless the adapter's tensors are exactly those that `base` wants."""
    if any(_OLD.match(name) for name in adapter.shapes):
        problem = key_problem(adapter.shapes, {})
    else:
        problem = key_problem(adapter.shapes, expected_shapes(base, adapter))
    if problem:
        raise UsageError(f"{adapter.directory}: {problem}")


def _read_config(path: Path) -> AdapterConfig:
    try:
        if path.stat().st_size > _LONGEST_CONFIG:
            raise UsageError(f"{path}: is larger than any adapter's configuration; save the adapter again")
        return AdapterConfig.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the file"
        raise UsageError(f"{path}: is no LoRA adapter's ({place}: {first['msg']}); save it with PEFT") from None
    except (OSError, ValueError, RecursionError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); save the adapter again") from error


def _read_shapes(directory: Path) -> Shapes:
    path = directory / WEIGHTS
    if not path.is_file():
        pickled = (directory / "adapter_model.bin").is_file()
        reason = "adapter_model.bin is a pickle, which can run code" if pickled else "the weights are missing"
        raise UsageError(f"{path}: {reason}; save the adapter as safetensors")
    with undamaged(path) as tensors:
        shapes = {name: tuple(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    if not shapes:
        raise UsageError(f"{path}: holds no tensor; save the adapter again")
    return shapes


def _hint(directory: Path) -> str:
    """What may have been meant by a directory that is no adapter."""
    inside = next((child for child in sorted(directory.iterdir()) if (child / CONFIG).is_file()), None)
    if inside is not None:
        return f"; perhaps {inside}"
    whole = (directory / "config.json").is_file()
    return "; this is a whole model, and needs no merging" if whole else "; give the folder that holds one"


def _module(tensor: str) -> str:
    """`base_model.model.model.…q_proj.lora_A.weight` -> `model.…q_proj`."""
    return re.split(r"\.(lora_|modules_to_save|weight$|bias$)", tensor.removeprefix("base_model.model."))[0]
