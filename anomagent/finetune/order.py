"""What training data are ordered from, and how: everything that decides their bytes, but for the model that counts."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from anomagent.finetune.conversations import Choices
from anomagent.finetune.exports import Format
from anomagent.finetune.from_files import Pair
from anomagent.store import Workspace

Mode = Literal["error", "skip"]
"""Whether a loss is refused, or counted."""


@dataclass(frozen=True)
class Order:
    """Sources, choices, and what becomes of what does not fit."""

    workspace: Workspace | None = None
    run_id: str | None = None
    annotations: Pair | None = None
    real: Pair | None = None
    split: str | None = None
    """A file, or the name of one of the workspace's splits."""
    allow: Path | None = None
    choices: Choices = field(default_factory=Choices)
    min_pixels: int = 50_176
    max_pixels: int = 614_656
    formats: tuple[Format, ...] = ()
    preferences: bool = False
    missing: Mode = "error"
    """Images without a readable file, and names of the split of which nothing is said."""
    bad_entries: Mode = "error"
    too_long: Mode = "error"
    leakage: Literal["error", "drop"] = "error"
