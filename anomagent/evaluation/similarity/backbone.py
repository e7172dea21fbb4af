"""Which language model stands behind a similarity, and how much of it is used."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, get_args

from anomagent.errors import ConfigurationError
from anomagent.evaluation.similarity.devices import check_device

Precision = Literal["fp32", "bf16"]

DEFAULT_BACKBONE: Final = "distilbert-base-uncased"
KNOWN_LAYERS: Final[dict[str, int]] = {DEFAULT_BACKBONE: 5, "roberta-large-mnli": 19, "google/mt5-large": 19}
"""The benchmark's backbones and the layer that each is read at."""

LOCAL_HINT: Final = "give a directory with a BERT, DistilBERT, RoBERTa, T5 or mT5: --backbone DIR --layer N"


@dataclass(frozen=True)
class Backbone:
    """A BERT, DistilBERT, RoBERTa, T5 or mT5 model. Raises `ConfigurationError` for settings that cannot work."""

    name: str = DEFAULT_BACKBONE
    """A local directory, else a hub name. A relative directory gets "./" in front: it never passes for the hub's."""
    layer: int | None = None
    """How many layers are run; the last one's output is compared. None: what `KNOWN_LAYERS` says of a hub's model."""
    precision: Precision = "fp32"
    """What weights and embeddings are held in. bf16 moves F1 in the fourth decimal, see `measure_precision`."""
    device: str = "auto"
    """One of auto, cpu, cuda, cuda:N, mps; "auto" is a CUDA GPU where there is one, else the CPU."""

    def __post_init__(self) -> None:
        if self.directory is not None and not self.name.startswith(("/", ".", "~")):
            object.__setattr__(self, "name", f"./{self.name}")
        if self.layer is None and self.name not in KNOWN_LAYERS:
            raise ConfigurationError(
                f"backbone {self.name}: say with --layer N which layer is compared; known by themselves are the hub's "
                f"{', '.join(KNOWN_LAYERS)}"
            )
        if self.layer is not None and self.layer < 1:
            raise ConfigurationError(f"layer {self.layer} of backbone {self.name} does not exist; layers count from 1")
        if self.precision not in get_args(Precision):
            raise ConfigurationError(f"precision {self.precision!r} is unknown; choose one of fp32, bf16")
        check_device(self.device)
        if self.directory is None and self.name.startswith(("/", ".", "~")):
            raise ConfigurationError(f"there is no directory {self.name}; {LOCAL_HINT}")

    @property
    def depth(self) -> int:
        """Number of layers that are run."""
        return self.layer or KNOWN_LAYERS[self.name]

    @property
    def directory(self) -> Path | None:
        """The local directory that `name` is, None for a hub name."""
        path = os.path.expanduser(self.name)
        return Path(path) if os.path.isdir(path) else None
