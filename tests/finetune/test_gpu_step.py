"""One training step of random weights: tiny on any machine, at the published size where there is a GPU for it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch

from anomagent.finetune.config import load_config
from anomagent.finetune.examples import Examples, read_rows
from anomagent.finetune.lora import recompute_layers, trainable_parameters, with_lora
from anomagent.finetune.memory import Load, Numbers, estimate
from anomagent.finetune.timing import Timing, measure
from anomagent.models.qwen_inputs import QwenInputs
from tests.finetune.course import save_course
from tests.finetune.sizes import qwen2_5_vl_7b

_NEEDED = 40 * 2**30


def step(config: Any, tiny: Path, folder: Path, device: str) -> tuple[Timing, dict[str, int]]:
    """The 7B recipe's measured pass on a model of this configuration, and the memory it was estimated to take."""
    recipe = load_config("anomreasonor-7b", [f"data.train={save_course(folder, 4, side=1024)}"])
    inputs = QwenInputs.load(str(tiny), None, str(tiny), recipe.images.bounds)
    with torch.device(device):
        from transformers import AutoModelForImageTextToText

        base = AutoModelForImageTextToText.from_config(config, dtype=torch.bfloat16)
    layers = sum(p.numel() for name, p in base.named_parameters() if ".language_model.layers." in name)
    model, _ = with_lora(base, recipe.lora)
    recompute_layers(model)
    examples = Examples(read_rows(recipe.data.train), inputs)
    longest = examples[0].labels
    timing = measure(model, inputs, examples, range(4), recipe)
    trained, parameters = trainable_parameters(model)
    load = Load(4, len(longest), sum(label >= 0 for label in longest), 4 * 4 * 784)
    return timing, estimate(config, Numbers(parameters, trained, layers, 2), load)


def test_a_tiny_model_of_the_same_kind(tiny: Path, tmp_path: Path) -> None:
    from transformers import AutoConfig

    timing, memory = step(AutoConfig.from_pretrained(tiny), tiny, tmp_path, "cpu")
    assert timing.seconds > 0
    assert memory["total"] > memory["weights"] > 0


@pytest.mark.slow
@pytest.mark.skipif(
    not torch.cuda.is_available() or torch.cuda.mem_get_info()[0] < _NEEDED, reason="needs a GPU with 40 GiB free"
)
def test_the_7b_recipe_on_a_gpu(tiny: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    config = qwen2_5_vl_7b()
    config.image_token_id, config.video_token_id, config.vision_start_token_id = 5, 6, 3
    timing, memory = step(config, tiny, tmp_path, "cuda")
    assert timing.peak
    with capsys.disabled():
        peak, expected = timing.peak / 2**30, memory["total"] / 2**30
        print(f"\n7B, 4 instances a pass: {timing.seconds:.2f} s, {peak:.1f} GiB (estimated {expected:.1f})")
    assert memory["weights"] < timing.peak < 1.1 * memory["total"]
