"""Adapters as PEFT saves them, with numbers that change answers; and ways to break them."""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

BOUNDS = (12_544, 12_544)
"""What the tiny base has, in pixels."""


def make_adapter(
    base: Path,
    out: Path,
    *,
    layers: str = "0|1",
    modules: str = "q_proj|k_proj|v_proj",
    strength: float = 0.5,
    bounds: tuple[int, int] | None = None,
    **options: Any,
) -> Path:
    """Save a LoRA adapter of rank 8 with a random B, and the base's image processor, perhaps under other bounds."""
    import peft
    import torch
    from transformers import AutoImageProcessor, AutoModelForImageTextToText

    targets = rf"(?:.*\.)?language_model\.layers\.({layers})\.(?:self_attn|mlp)\.({modules})"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = AutoModelForImageTextToText.from_pretrained(base)
        torch.manual_seed(7)
        config = peft.LoraConfig(**{"r": 8, "lora_alpha": 16, "lora_dropout": 0.5, "target_modules": targets} | options)
        adapted = peft.get_peft_model(model, config)
        with torch.no_grad():
            for name, parameter in adapted.named_parameters():
                if "lora_B" in name:
                    parameter.normal_(std=strength)
        adapted.save_pretrained(out)
    pixels = {} if bounds is None else {"min_pixels": bounds[0], "max_pixels": bounds[1]}
    AutoImageProcessor.from_pretrained(base, **pixels).save_pretrained(out)
    return out


def rewrite_json(path: Path, **values: Any) -> None:
    """Change values of a JSON file."""
    content = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(content | values), encoding="utf-8")


def rewrite_tensors(adapter: Path, change: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Change the tensors of an adapter."""
    from safetensors.torch import load_file, save_file

    path = adapter / "adapter_model.safetensors"
    save_file(change(load_file(path)), path)
