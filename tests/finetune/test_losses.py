"""The loss is that of all logits, though most are never computed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from anomagent.finetune.examples import Collator, Examples, read_rows
from anomagent.finetune.losses import loss_of
from anomagent.finetune.masking import IGNORED
from anomagent.models.qwen_inputs import QwenInputs
from tests.finetune.course import save_course


class Watched:
    """A model that keeps how many columns of logits it made."""

    def __init__(self, model: Any) -> None:
        self.model = model
        self.columns = 0

    def __call__(self, **arguments: Any) -> Any:
        output = self.model(**arguments)
        self.columns = output.logits.shape[1]
        return output


@pytest.mark.parametrize("turns", [1, 2])
def test_selected_columns_give_the_models_own_loss_and_gradients(
    tiny: Path, inputs: QwenInputs, tmp_path: Path, turns: int
) -> None:
    from transformers import AutoModelForImageTextToText

    model: Any = AutoModelForImageTextToText.from_pretrained(tiny)
    examples = Examples(read_rows([save_course(tmp_path, 12, turns=turns)]), inputs)
    batch = Collator(inputs)([examples[2], examples[10]])
    del batch["rows"]
    labels = batch.pop("labels")
    watched = Watched(model)
    total, count = loss_of(watched, batch, labels)
    assert count == (labels != IGNORED).sum()
    assert watched.columns < labels.shape[1] - 40
    ours = torch.autograd.grad(total / count, model.lm_head.weight)[0]
    theirs = model(**batch, labels=labels).loss
    assert (total / count).item() == pytest.approx(theirs.item(), abs=1e-6)
    torch.testing.assert_close(ours, torch.autograd.grad(theirs, model.lm_head.weight)[0], atol=1e-6, rtol=1e-4)
