# pyright: basic
"""What is trained and how it is kept: model, throw-away head, and checkpoints that a killed run resumes from."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy
from transformers import Qwen2_5_VLForConditionalGeneration

from anomagent.scenes.catalogue import ANOMALIES
from anomagent.scenes.cells import LABELS
from anomagent.scenes.training.architecture import GRID, new_model
from anomagent.scenes.training.packed import PackedModel

_POSITIVE_WEIGHT = 3.0
_ANOMALY_WEIGHT = 4.0
_PLACE_WEIGHT = 0.1


class CellHead(nn.Module):
    """Says of every merged vision token what stands there and where that is; it teaches the tower and is thrown away.

    The place has to be learnt because the tower's own positions are relative: without it the language model knows what
    is in the image long before it can tell left from right.
    """

    weight: Tensor
    positive: Tensor
    places: Tensor

    def __init__(self, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(hidden)
        self.read = nn.Linear(hidden, len(LABELS))
        self.place = nn.Linear(hidden, 2 * GRID)
        weight = torch.ones(len(LABELS))
        weight[-len(ANOMALIES) :] = _ANOMALY_WEIGHT
        rows, columns = torch.arange(GRID).repeat_interleave(GRID), torch.arange(GRID).repeat(GRID)
        self.register_buffer("weight", weight, persistent=False)
        self.register_buffer("positive", torch.full((len(LABELS),), _POSITIVE_WEIGHT), persistent=False)
        self.register_buffer("places", torch.stack([rows, columns]), persistent=False)

    def forward(self, seen: Tensor) -> Tensor:
        """Logits (batch, IMAGE_TOKENS, labels)."""
        return self.read(self.norm(seen)).float()

    def loss(self, seen: Tensor, truth: Tensor) -> Tensor:
        """Mean binary cross-entropy, in which anomalies count four times, and the cross-entropy of row and column."""
        things = binary_cross_entropy_with_logits(self(seen), truth, weight=self.weight, pos_weight=self.positive)
        places = self.place(self.norm(seen)).float().view(-1, 2, GRID)
        expected = self.places.T.repeat(len(seen), 1)
        return things + _PLACE_WEIGHT * cross_entropy(places.flatten(0, 1), expected.flatten())


@dataclass
class Trainee:
    """Model and head on one device, and where their checkpoint lies."""

    model: Qwen2_5_VLForConditionalGeneration
    packed: PackedModel
    head: CellHead
    device: torch.device
    folder: Path

    @classmethod
    def create(cls, vocabulary: int, seed: int, device: torch.device, folder: Path) -> "Trainee":
        """Fresh weights, always the same for one seed."""
        torch.manual_seed(seed)
        model: Any = new_model(vocabulary)
        head = CellHead(model.config.text_config.hidden_size)
        return cls(model.to(device), PackedModel(model).to(device), head.to(device), device, folder)

    def vision_parameters(self) -> list[nn.Parameter]:
        """The vision tower and the head."""
        return [*self.model.model.visual.parameters(), *self.head.parameters()]

    def text_parameters(self) -> list[nn.Parameter]:
        """Everything else; embeddings and output layer are one tensor."""
        return list(self.model.model.language_model.parameters())

    def save(self, stage: str, step: int, seconds: float, optimizer: torch.optim.Optimizer) -> None:
        """Write `<folder>/<stage>.pt` whole or not at all."""
        path = self.folder / f"{stage}.pt"
        state = {
            "model": self.model.state_dict(),
            "head": self.head.state_dict(),
            "optimizer": optimizer.state_dict(),
            "step": step,
            "seconds": seconds,
        }
        torch.save(state, path.with_suffix(".part"))
        path.with_suffix(".part").replace(path)

    def restore(self, stage: str) -> dict[str, Any] | None:
        """Load the weights of that stage's checkpoint and return the rest of it; None where there is none."""
        path = self.folder / f"{stage}.pt"
        if not path.exists():
            return None
        state = torch.load(path, map_location=self.device, weights_only=True)
        self.head.load_state_dict(state["head"])
        self.adopt(state["model"])
        return state

    def adopt(self, weights: dict[str, Tensor]) -> None:
        """Take over weights; those of a model with another vocabulary give everything but the embeddings."""
        own = self.model.state_dict()
        fitting = {name: value for name, value in weights.items() if own[name].shape == value.shape}
        self.model.load_state_dict({**own, **fitting})
        self.model.tie_weights()
