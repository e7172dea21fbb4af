# pyright: basic
"""The loss of a batch, from the logits of those columns alone that hold something to learn."""

from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from anomagent.finetune.masking import IGNORED


def loss_of(model: Any, batch: dict[str, Any], labels: Tensor) -> tuple[Tensor, Tensor]:
    """Summed cross entropy over the labelled tokens of a batch, and their number.

    `labels` is rows x columns. The output layer, which is most of the memory, computes only the columns before a
    labelled token of any row. With padding on the left these are the last ones.
    """
    wanted = labels[:, 1:]
    columns = (wanted != IGNORED).any(0).nonzero().squeeze(1)
    logits = model(**batch, logits_to_keep=columns, use_cache=False).logits
    targets = wanted[:, columns]
    loss = functional.cross_entropy(
        logits.float().flatten(0, 1), targets.flatten(), ignore_index=IGNORED, reduction="sum"
    )
    return loss, torch.count_nonzero(targets != IGNORED)
