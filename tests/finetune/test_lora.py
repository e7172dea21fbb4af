"""Which modules learn: counted on the published sizes, without weights, and refused where they are others."""

from __future__ import annotations

from typing import Any

import pytest

from anomagent.errors import ConfigurationError
from anomagent.finetune.config import Lora
from anomagent.finetune.lora import adapted_modules, chosen_layers, recompute_layers, trainable_parameters, with_lora
from tests.finetune.sizes import qwen2_5_vl_7b, qwen3_vl_8b


def on_meta(config: Any) -> Any:
    import torch
    from transformers import AutoModelForImageTextToText

    with torch.device("meta"):
        return AutoModelForImageTextToText.from_config(config)


def test_the_papers_recipe_on_qwen2_5_vl_7b() -> None:
    model, modules = with_lora(on_meta(qwen2_5_vl_7b()), Lora())
    # 7 of 28 layers, 3 projections. Hidden 3584, keys and values 4 x 128 = 512, rank 8:
    # 7 x 8 x ((3584 + 3584) + 2 x (3584 + 512)) = 7 x 8 x 15360 = 860160.
    assert len(modules) == 21
    assert trainable_parameters(model) == (860_160, 8_292_166_656 + 860_160)
    assert modules[0] == "model.language_model.layers.0.self_attn.q_proj"
    assert modules[-1] == "model.language_model.layers.24.self_attn.v_proj"


def test_the_recipe_on_qwen3_vl_8b() -> None:
    model, modules = with_lora(on_meta(qwen3_vl_8b()), Lora())
    # 9 of 36 layers. Hidden 4096, queries 32 x 128 = 4096, keys and values 8 x 128 = 1024:
    # 9 x 8 x (8192 + 2 x 5120) = 1327104.
    assert len(modules) == 27
    assert trainable_parameters(model) == (1_327_104, 8_767_123_696 + 1_327_104)


def test_every_fourth_layer_may_begin_at_the_fourth() -> None:
    assert chosen_layers(28, Lora()) == [0, 4, 8, 12, 16, 20, 24]
    assert chosen_layers(28, Lora(offset=3)) == [3, 7, 11, 15, 19, 23, 27]


@pytest.fixture
def tiny_model() -> Any:
    config = qwen2_5_vl_7b()
    config.text_config.num_hidden_layers = 2
    config.text_config.layer_types = config.text_config.layer_types[:2]
    config.vision_config.depth = 2
    return on_meta(config)


def test_mlp_names_of_the_vision_tower_are_left_alone(tiny_model: Any) -> None:
    """The vision tower of Qwen2.5-VL has layers named gate_proj, up_proj and down_proj too."""
    everywhere = [name for name, _ in tiny_model.named_modules() if name.endswith("up_proj")]
    assert any("visual" in name for name in everywhere)
    modules = adapted_modules(tiny_model, Lora(every=1, projections=["up_proj", "o_proj"]))
    assert modules == [
        f"model.language_model.layers.{n}.{name}" for n in (0, 1) for name in ("self_attn.o_proj", "mlp.up_proj")
    ]


def test_a_base_without_the_expected_layers_is_refused(tiny_model: Any) -> None:
    with pytest.raises(ConfigurationError, match="0 modules of the base model fit where 0 were expected"):
        adapted_modules(tiny_model, Lora(offset=2))
    del tiny_model.model.language_model.layers[1].self_attn.k_proj
    with pytest.raises(ConfigurationError, match="5 modules of the base model fit where 6 were expected"):
        adapted_modules(tiny_model, Lora(every=1))
    del tiny_model.model.language_model.layers[1]
    with pytest.raises(ConfigurationError, match=r"has no layers language_model.layers.0 to 1"):
        adapted_modules(tiny_model, Lora(every=1))


def test_recomputed_layers_need_no_gradient_in_front_of_the_adapters(tiny_model: Any) -> None:
    model, _ = with_lora(tiny_model, Lora())
    recompute_layers(model)
    assert model.get_base_model().model.language_model.layers[0].gradient_checkpointing
    assert not model.get_base_model().get_input_embeddings()._forward_hooks
