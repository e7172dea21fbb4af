# pyright: basic
"""Instances as the model takes them: tokens, labels and patches, made when they are needed, and padded to a batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import Dataset

from anomagent.errors import BadRequest
from anomagent.finetune.instances import Instance, read_instances
from anomagent.finetune.masking import IGNORED, lesson_of
from anomagent.finetune.stopping import TrainingStopped
from anomagent.finetune.tokens import FIRST_BOUND
from anomagent.models.qwen_inputs import Inputs, QwenInputs


@dataclass(frozen=True)
class Row:
    """An instance with its image's path, from where this process runs."""

    instance: Instance
    image: str
    file: Path


@dataclass(frozen=True)
class Example:
    """One row as the model takes it."""

    number: int
    inputs: Inputs
    labels: list[int]


def read_rows(files: Sequence[Path]) -> list[Row]:
    """The instances of all files, in order. Raises `UsageError` as `read_instances` does."""
    return [Row(one, str(file.parent / one.image), file) for file in files for one in read_instances(file)]


class Examples(Dataset[Example]):
    """Makes the examples of rows one at a time; the same ones as inference makes, but with the answers."""

    def __init__(self, rows: Sequence[Row], inputs: QwenInputs, newline: bool = False) -> None:
        self.rows = rows
        self._inputs = inputs
        self._newline = newline

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, number: int) -> Example:
        row = self.rows[number]
        try:
            image = self._inputs.patches(row.image, row.instance.sha256, FIRST_BOUND)
        except BadRequest as error:  # it was there when the data was checked
            raise TrainingStopped(
                f"instance {row.instance.id}: {error}; put it back and go on with --resume"
            ) from error
        lesson = lesson_of(self._inputs, row.instance, self._inputs.cells(image), self._newline)
        return Example(number, Inputs(lesson.ids, image), lesson.labels)

    def ids(self, numbers: Sequence[int]) -> list[str]:
        """The names of the instances with these numbers."""
        return [self.rows[number].instance.id for number in numbers]


class Collator:
    """Puts examples into one batch, padded on the left as inference does, so that all answers end in one column."""

    def __init__(self, inputs: QwenInputs) -> None:
        self._inputs = inputs

    def __call__(self, examples: Sequence[Example]) -> dict[str, Any]:
        """The model's arguments, `labels`, and `rows`: the examples' numbers.

        Raises `ValueError` where the image tokens are not as many as the image's features.
        """
        batch = self._inputs.batch([example.inputs for example in examples])
        length = batch["input_ids"].shape[1]
        labels = [[IGNORED] * (length - len(example.labels)) + example.labels for example in examples]
        self._assert_whole(batch, len(examples))
        rows = torch.tensor([example.number for example in examples])
        return {**batch, "labels": torch.tensor(labels), "rows": rows}

    def _assert_whole(self, batch: dict[str, Any], count: int) -> None:
        grids: Tensor = batch["image_grid_thw"]
        merged = self._inputs.image_processor.merge_size**2
        features = (grids.prod(1) // merged).tolist()
        tokens = batch["mm_token_type_ids"].sum(1).tolist()
        patches = int(grids.prod(1).sum())
        if tokens != features or len(features) != count or patches != len(batch["pixel_values"]):
            raise ValueError(f"image tokens {tokens} do not match the image features {features}")
