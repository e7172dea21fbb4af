"""Configurations of the published sizes, as far as they decide shapes."""

from __future__ import annotations

from typing import Any


def qwen2_5_vl_7b() -> Any:
    from transformers import AutoConfig

    text = {
        "vocab_size": 152_064,
        "hidden_size": 3_584,
        "intermediate_size": 18_944,
        "num_hidden_layers": 28,
        "num_attention_heads": 28,
        "num_key_value_heads": 4,
        "max_position_embeddings": 128_000,
        "rope_parameters": {"rope_type": "default", "rope_theta": 1e6, "mrope_section": [16, 24, 24]},
    }
    vision = {
        "depth": 32,
        "hidden_size": 1_280,
        "intermediate_size": 3_420,
        "num_heads": 16,
        "out_hidden_size": 3_584,
        "patch_size": 14,
        "spatial_merge_size": 2,
        "window_size": 112,
        "fullatt_block_indexes": [7, 15, 23, 31],
    }
    return AutoConfig.for_model("qwen2_5_vl", text_config=text, vision_config=vision, tie_word_embeddings=False)


def qwen3_vl_8b() -> Any:
    from transformers import AutoConfig

    text = {
        "vocab_size": 151_936,
        "hidden_size": 4_096,
        "intermediate_size": 12_288,
        "num_hidden_layers": 36,
        "num_attention_heads": 32,
        "num_key_value_heads": 8,
        "head_dim": 128,
        "max_position_embeddings": 262_144,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5e6, "mrope_section": [24, 20, 20]},
    }
    vision = {
        "depth": 27,
        "hidden_size": 1_152,
        "intermediate_size": 4_304,
        "num_heads": 16,
        "out_hidden_size": 4_096,
        "patch_size": 16,
        "spatial_merge_size": 2,
        "num_position_embeddings": 2_304,
        "deepstack_visual_indexes": [8, 16, 24],
    }
    return AutoConfig.for_model("qwen3_vl", text_config=text, vision_config=vision, tie_word_embeddings=False)
