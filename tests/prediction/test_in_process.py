"""The embedded model with a LoRA adapter: nothing between the files and the answers is scripted."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.errors import ConfigurationError
from anomagent.models.embedded import DIRECTORY
from anomagent.prediction.question import Question
from anomagent.scenes.compose import compose
from anomagent.scenes.draw import draw
from tests.models.tiny import save_tiny
from tests.prediction.shelf import Shelf


def save_adapter(base: Path, folder: Path) -> Path:
    """A LoRA adapter of random numbers."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForImageTextToText

    torch.manual_seed(1)
    targets = r".*language_model\.layers\.\d+\.self_attn\.(q_proj|v_proj)"
    model = AutoModelForImageTextToText.from_pretrained(base)
    get_peft_model(model, LoraConfig(r=4, target_modules=targets, init_lora_weights=False)).save_pretrained(folder)
    return folder


@pytest.fixture
def scene(shelf: Shelf) -> Shelf:
    (shelf.path / "images").mkdir()
    draw(compose(3)).save(shelf.path / "images" / "scene.png")
    return shelf


async def test_an_adapter_is_another_set_with_another_probability(scene: Shelf, tmp_path: Path) -> None:
    adapter = save_adapter(DIRECTORY, tmp_path / "adapter")
    for more in ({}, {"adapter": str(adapter)}):
        await scene.run(question=Question("deepfake"), model="embedded", max_tokens=512, **more)
    (plain, share), (adapted, other_share) = scene.rows("configuration, p_yes")
    assert plain != adapted
    assert 0 < share < 1
    assert 0 < other_share < 1
    assert share != other_share
    (answer,) = {image.answer for image in scene.written().images.values()}
    assert answer


async def test_an_adapter_of_another_base_is_an_error_before_anything_is_said(scene: Shelf, tmp_path: Path) -> None:
    adapter = save_adapter(save_tiny("qwen2_5_vl", tmp_path / "tiny"), tmp_path / "adapter")
    with pytest.raises(ConfigurationError, match="was not made for this model"):
        await scene.run(model="embedded", adapter=str(adapter))
    assert scene.rows("*") == []
