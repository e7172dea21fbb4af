# pyright: basic
"""The directory that is shipped: a model that transformers loads like any other Qwen2.5-VL."""

from pathlib import Path
from typing import Any

import torch
from tokenizers import Tokenizer

from anomagent.scenes.training.architecture import image_processor, new_model
from anomagent.scenes.training.tokenizer import save_tokenizer


def export(weights: dict[str, torch.Tensor], tokenizer: Tokenizer, folder: Path) -> None:
    """Write weights in bfloat16, configuration, tokenizer, chat template and image processor."""
    folder.mkdir(parents=True, exist_ok=True)
    model: Any = new_model(tokenizer.get_vocab_size())
    model.load_state_dict(weights)
    model.tie_weights()
    model.to(torch.bfloat16).save_pretrained(folder)
    save_tokenizer(tokenizer, folder)
    image_processor().save_pretrained(folder)
    for path in folder.iterdir():
        path.chmod(0o644)
