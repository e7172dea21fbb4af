# pyright: basic
"""The embedded model's architecture: Qwen2.5-VL as Qwen made it, only with small numbers."""

from typing import Final

from transformers import (
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2VLImageProcessorPil,
)

IMAGE_SIDE: Final = 168
"""Pixels of the square that every image is resized to."""
PATCH: Final = 14
GRID: Final = IMAGE_SIDE // (2 * PATCH)
"""Merged vision tokens along one side; an image is GRID * GRID tokens for the language model."""
IMAGE_TOKENS: Final = GRID * GRID

SPECIAL_TOKENS: Final = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<|vision_start|>",
    "<|vision_end|>",
    "<|image_pad|>",
    "<|video_pad|>",
)
"""Qwen's names; an id is the place in this tuple."""
PAD_ID, IM_START_ID, IM_END_ID, VISION_START_ID, VISION_END_ID, IMAGE_ID, VIDEO_ID = range(len(SPECIAL_TOKENS))


def configuration(vocabulary: int) -> Qwen2_5_VLConfig:
    """Six text layers of width 192 over a vision tower of four layers of width 160: 5 million parameters."""
    text = {
        "vocab_size": vocabulary,
        "hidden_size": 192,
        "intermediate_size": 512,
        "num_hidden_layers": 6,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "max_position_embeddings": 4096,
        # Sections are time, height and width in turn, from fast to slow frequencies, 16 in all (half of a head). Three
        # of them would leave the slowest to the width: six columns would turn by 0.02 rad, and left be like right.
        "rope_parameters": {"rope_type": "default", "rope_theta": 10_000.0, "mrope_section": [1, 2, 3, 3, 4, 3]},
        "bos_token_id": None,
        "eos_token_id": IM_END_ID,
        "pad_token_id": PAD_ID,
        "rms_norm_eps": 1e-6,
        "use_sliding_window": False,
    }
    vision = {
        "depth": 4,
        "hidden_size": 160,
        "intermediate_size": 480,
        "num_heads": 5,
        "out_hidden_size": 192,
        "patch_size": PATCH,
        "spatial_merge_size": 2,
        "temporal_patch_size": 2,
        "window_size": 4 * PATCH,
        "fullatt_block_indexes": [1, 3],
    }
    return Qwen2_5_VLConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=IMAGE_ID,
        video_token_id=VIDEO_ID,
        vision_start_token_id=VISION_START_ID,
        vision_end_token_id=VISION_END_ID,
        tie_word_embeddings=True,
    )


def new_model(vocabulary: int) -> Qwen2_5_VLForConditionalGeneration:
    """A model with fresh weights in float32; seed torch first to get the same ones again."""
    model = Qwen2_5_VLForConditionalGeneration(configuration(vocabulary))
    model.generation_config = GenerationConfig(eos_token_id=IM_END_ID, pad_token_id=PAD_ID, do_sample=False)
    return model


def image_processor() -> Qwen2VLImageProcessorPil:
    """Resizes every square image to IMAGE_SIDE squared pixels and normalises it; works without torchvision.

    The bounds leave room for rounding: with equal ones some sizes, 450 pixels for example, end up one step too small.
    """
    pixels = IMAGE_SIDE * IMAGE_SIDE
    return Qwen2VLImageProcessorPil(size={"shortest_edge": pixels - 100, "longest_edge": pixels + 200})
