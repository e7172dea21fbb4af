"""A tiny random CLIP model in a directory, made in a second."""

from __future__ import annotations

from pathlib import Path
from typing import Any


def make_clip(folder: Path, seed: int = 0, width: int = 32, side: int = 32) -> Any:
    """Save a model, a tokenizer of letters and an image processor; returns the model."""
    import json

    import torch
    import transformers

    torch.manual_seed(seed)
    letters = [*map(chr, range(33, 127))]
    words = ["<|startoftext|>", "<|endoftext|>", *letters, *(f"{letter}</w>" for letter in letters)]
    vocabulary = {word: number for number, word in enumerate(words)}
    common = {"hidden_size": width, "intermediate_size": 37, "num_attention_heads": 4, "num_hidden_layers": 2}
    ids = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    config = transformers.CLIPConfig(
        text_config={**common, **ids, "vocab_size": len(words), "max_position_embeddings": 77, "projection_dim": 16},
        vision_config={**common, "image_size": side, "patch_size": 8, "projection_dim": 16},
        projection_dim=16,
    )
    model = transformers.CLIPModel(config).eval()
    with torch.no_grad():
        for weight in model.parameters():
            if weight.ndim > 1:
                weight.mul_(8)  # as made, all pictures would look alike
    model.save_pretrained(folder)
    (folder / "vocab.json").write_text(json.dumps(vocabulary))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = transformers.CLIPTokenizer.from_pretrained(folder)
    tokenizer.model_max_length = 77
    tokenizer.save_pretrained(folder)
    processor = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
    processor(size={"shortest_edge": side}, crop_size={"height": side, "width": side}).save_pretrained(folder)
    return model
