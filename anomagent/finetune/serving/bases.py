# pyright: basic
"""Base models: found, looked at without their weights, and loaded with or without an adapter."""

import json
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final

from anomagent.errors import ConfigurationError, UsageError
from anomagent.finetune.serving.libraries import damage, out_of_memory, quiet, refusals, short
from anomagent.models.embedded import DIRECTORY
from anomagent.models.qwen_vl import FAMILIES

SMALL: Final = 500_000_000
"""Parameters up to which a model on a CPU computes in 32 bits, whatever it is stored in; as in prediction."""
CONFIGURATION: Final = ("*.json", "*.jinja", "*.txt", "*.model")
"""What a hub's model is besides its weights."""


@dataclass(frozen=True)
class Base:
    """A model directory of a known family. `name` is what the user called it."""

    name: str
    directory: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        """`config.json`, of which the family is checked. Raises `UsageError`."""
        path = self.directory / "config.json"
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise UsageError(f"{path}: no readable configuration; give the directory of a model") from error
        family = config.get("model_type") if isinstance(config, dict) else None
        if family not in FAMILIES:
            raise UsageError(f"{self.name}: is a model of type {family}; known are {', '.join(sorted(FAMILIES))}")
        return config

    @property
    def quantised(self) -> str | None:
        """The method by which the weights were quantised; None where they were not."""
        found = self.config.get("quantization_config")
        return str(found.get("quant_method", "unknown")) if isinstance(found, dict) else None

    @property
    def has_weights(self) -> bool:
        """Whether there are weights as safetensors."""
        return any(self.directory.glob("*.safetensors"))

    def is_called(self, name: str) -> bool:
        """Whether `name` means this model: the same name or directory, or of one not here its last part."""
        here = (self.name, str(self.directory))
        if name in here or Path(name).expanduser().resolve() == self.directory.resolve():
            return True
        return not Path(name).is_dir() and Path(name).name in {Path(other).name for other in here}

    def skeleton(self) -> Any:
        """The model on the meta device: every module, no weights. Raises `UsageError` for a contradictory config."""
        import torch
        from transformers import AutoConfig, AutoModelForImageTextToText

        _ = self.config
        try:
            with quiet(), torch.device("meta"):
                return AutoModelForImageTextToText.from_config(AutoConfig.from_pretrained(self.directory))
        except (OSError, ArithmeticError, AttributeError, KeyError, RuntimeError, *refusals()) as error:
            raise UsageError(
                f"{self.name}: its config.json makes no model ({short(error)}); download it again"
            ) from error

    def load(self, device: str, dtype: str = "auto") -> Any:
        """The model with its weights, ready to answer. Raises `UsageError` where there is none that can be loaded."""
        import torch
        from transformers import AutoModelForImageTextToText

        number = "auto" if dtype == "auto" else getattr(torch, dtype)
        try:
            with quiet():
                made: Any = AutoModelForImageTextToText.from_pretrained(
                    self.directory, dtype=number, output_loading_info=True
                )
                model, report = made
                if missing := sorted(report["missing_keys"]):
                    raise ValueError(f"{len(missing)} tensors are missing, such as {missing[0]}")
                return placed(model, device)
        except UsageError:
            raise
        except (OSError, ArithmeticError, LookupError, AttributeError, RuntimeError, damage(), *refusals()) as error:
            if out_of_memory(error):
                raise
            raise UsageError(f"{self.name}: cannot be loaded ({short(error)}); download or save it again") from error


def find_base(name: str, *, weights: bool) -> Base:
    """The base by directory, hub id or as "embedded"; of the hub the configuration alone unless `weights`.

    Raises `UsageError`.
    """
    directory = DIRECTORY if name == "embedded" else Path(name).expanduser()
    if directory.is_dir():
        base = Base(name, directory)
    elif name.startswith((".", "/", "~")) or name.count("/") != 1:
        raise UsageError(f"{name}: there is no such directory, and it is no hub id (OWNER/NAME); give --base")
    else:
        base = Base(name, _from_hub(name, (*CONFIGURATION, *(["*.safetensors"] if weights else []))))
    _ = base.config
    if weights and not base.has_weights:
        raise UsageError(f"{name}: has no weights as safetensors; give the directory of a downloaded model")
    return base


def known_device(device: str) -> str:
    """The device that is meant; `auto` is a GPU where there is one. Raises `ConfigurationError` for one that is not."""
    import torch

    if device == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, ValueError) as error:
        raise ConfigurationError(f"--device {device}: is not here ({short(error)[:80]}); choose cpu or auto") from error
    return device


def placed(model: Any, device: str) -> Any:
    """The model on its device, ready to answer; small ones on a CPU in 32 bits."""
    device = known_device(device)
    if device == "cpu" and model.num_parameters() <= SMALL:
        model = model.float()
    return model.to(device).eval()


def adapted(model: Any, adapter: Path) -> Any:
    """The model with the adapter on it, whose keys are known to fit."""
    import peft

    with quiet():
        return peft.PeftModel.from_pretrained(model, str(adapter)).eval()


@contextmanager
def enough_memory(base: Base) -> Generator[None]:
    """Raises `UsageError` where memory runs out in the block."""
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if not out_of_memory(error):
            raise
        size = sum(file.stat().st_size for file in base.directory.glob("*.safetensors"))
        raise UsageError(
            f"{base.name}: does not fit into memory ({size / 1e9:,.1f} GB of weights, and room to compute);"
            " choose another --device or a machine with more"
        ) from error


def _from_hub(name: str, patterns: tuple[str, ...]) -> Path:
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError

    try:
        return Path(snapshot_download(name, allow_patterns=list(patterns)))
    except (OSError, ValueError, HfHubHTTPError, HFValidationError) as error:
        raise UsageError(
            f"{name}: not a directory here, and the hub does not have it or cannot be reached"
            f" ({type(error).__name__}); give the directory of a downloaded model"
        ) from error
