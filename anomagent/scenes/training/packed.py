# pyright: basic
"""The model's forward pass for a batch of packed trees: the same modules and weights, without the generality."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear
from transformers import Qwen2_5_VLForConditionalGeneration
from transformers.models.qwen2_5_vl.modeling_qwen2_5_vl import apply_rotary_pos_emb, apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_position_ids, get_vision_window_index

from anomagent.scenes.training.architecture import GRID, IMAGE_ID, IMAGE_TOKENS, PATCH

_PATCHES = 4 * IMAGE_TOKENS
_MEAN = (0.48145466, 0.4578275, 0.40821073)
_STD = (0.26862954, 0.26130258, 0.27577711)


class PackedModel(nn.Module):
    """A view on `model` that shares its parameters.

    Transformers runs one image after the other and knows only causal masks. Here all images of a batch have one size,
    so that the vision tower is a plain batched network, and the text part takes any mask, so that many prompts can
    share one image. A test holds the two against each other.
    """

    window_order: Tensor
    image_order: Tensor
    cosine: Tensor
    sine: Tensor
    mean: Tensor
    std: Tensor

    def __init__(self, model: Qwen2_5_VLForConditionalGeneration) -> None:
        super().__init__()
        self.model = model
        grid = torch.tensor([[1, 2 * GRID, 2 * GRID]])
        config: Any = model.config.vision_config
        windows, _ = get_vision_window_index(grid, config.spatial_merge_size, config.window_size, config.patch_size)
        positions = get_vision_position_ids(grid, config.spatial_merge_size)
        visual: Any = model.model.visual
        cosine, sine = visual.rotary_pos_emb(torch.zeros(1), positions)
        self.register_buffer("window_order", windows, persistent=False)
        self.register_buffer("image_order", torch.argsort(windows), persistent=False)
        self.register_buffer("cosine", _by_window(cosine, windows), persistent=False)
        self.register_buffer("sine", _by_window(sine, windows), persistent=False)
        self.register_buffer("mean", torch.tensor(_MEAN), persistent=False)
        self.register_buffer("std", torch.tensor(_STD), persistent=False)

    def see(self, pixels: Tensor) -> Tensor:
        """Images, uint8 (batch, side, side, 3), to merged vision tokens (batch, IMAGE_TOKENS, hidden)."""
        visual: Any = self.model.model.visual
        batch = pixels.shape[0]
        # A still image is repeated in time, so both temporal halves of the kernel see the same patch.
        kernel = visual.patch_embed.proj.weight.sum(2).flatten(1)
        hidden = linear(self.patches(pixels), kernel)
        hidden = hidden.view(batch, IMAGE_TOKENS, 4, -1)[:, self.window_order].reshape(batch, _PATCHES, -1)
        for index, block in enumerate(visual.blocks):
            everywhere = index in visual.fullatt_block_indexes
            hidden = hidden + self._look(block.attn, block.norm1(hidden), everywhere)
            hidden = hidden + block.mlp(block.norm2(hidden))
        return visual.merger(hidden).view(batch, IMAGE_TOKENS, -1)[:, self.image_order]

    def read(self, tokens: Tensor, seen: Tensor, positions: Tensor, mask: Tensor) -> Tensor:
        """The last hidden states (batch, length, hidden).

        `tokens` (batch, length) contain the placeholders of one image, which `seen` replaces; `positions` (3, batch,
        length) are time, height and width; `mask` (batch, 1, length, length) is added to the attention scores.
        """
        language: Any = self.model.model.language_model
        is_image = tokens == IMAGE_ID
        place = (is_image.cumsum(1) - 1).clamp(0, IMAGE_TOKENS - 1)
        placed = seen.gather(1, place[..., None].expand(-1, -1, seen.shape[-1]))
        hidden = torch.where(is_image[..., None], placed, language.embed_tokens(tokens).to(seen.dtype))
        cosine, sine = language.rotary_emb(hidden, positions)
        for layer in language.layers:
            hidden = hidden + _attend(layer.self_attn, layer.input_layernorm(hidden), cosine, sine, mask)
            hidden = hidden + layer.mlp(layer.post_attention_layernorm(hidden))
        return language.norm(hidden)

    def patches(self, pixels: Tensor) -> Tensor:
        """Scaled patches (batch, patches, 3 * PATCH * PATCH) in Qwen's order: the four of a merged token together."""
        scaled = (pixels.float() / 255 - self.mean) / self.std
        blocks = scaled.view(-1, GRID, 2, PATCH, GRID, 2, PATCH, 3)
        return blocks.permute(0, 1, 4, 2, 5, 7, 3, 6).reshape(-1, _PATCHES, 3 * PATCH * PATCH)

    def _look(self, attention: Any, hidden: Tensor, everywhere: bool) -> Tensor:
        batch, _, width = hidden.shape
        heads, size = attention.num_heads, attention.head_dim
        query, key, value = attention.qkv(hidden).view(batch, _PATCHES, 3, heads, size).unbind(2)
        query, key = apply_rotary_pos_emb_vision(query, key, self.cosine[None], self.sine[None])
        window = _PATCHES if everywhere else 16
        query, key, value = (part.reshape(-1, window, heads, size).transpose(1, 2) for part in (query, key, value))
        mixed = _mix(query, key, value)
        return attention.proj(mixed.transpose(1, 2).reshape(batch, _PATCHES, width))


def _by_window(values: Tensor, windows: Tensor) -> Tensor:
    return values.view(IMAGE_TOKENS, 4, -1)[windows].reshape(_PATCHES, -1)


def _attend(attention: Any, hidden: Tensor, cosine: Tensor, sine: Tensor, mask: Tensor) -> Tensor:
    batch, length, width = hidden.shape

    def split(projected: Tensor) -> Tensor:
        return projected.view(batch, length, -1, attention.head_dim).transpose(1, 2)

    query, key = apply_rotary_pos_emb(split(attention.q_proj(hidden)), split(attention.k_proj(hidden)), cosine, sine)
    value = split(attention.v_proj(hidden))
    groups = attention.num_key_value_groups
    key, value = key.repeat_interleave(groups, 1).to(query.dtype), value.repeat_interleave(groups, 1).to(query.dtype)
    mixed = _mix(query, key, value, mask)
    return attention.o_proj(mixed.transpose(1, 2).reshape(batch, length, width))


def _mix(query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None = None) -> Tensor:
    """Attention written out: on a CPU its compiled gradient is five times as fast as that of torch's fused kernel."""
    scores = query @ key.transpose(-1, -2) * query.shape[-1] ** -0.5
    if mask is not None:
        scores = scores + mask
    return scores.softmax(-1).to(value.dtype) @ value
