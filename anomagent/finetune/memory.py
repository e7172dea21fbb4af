"""How much memory of one GPU a training step takes, by formula; an estimate, to be held against a measured peak.

With B instances of T tokens (padded), C columns with labels, N image patches; H, I, K the widths of a language layer
(hidden, inner, keys), L the layers, V the vocabulary, b bytes a number (2 in bf16, 4 in fp32):

| part | bytes |
| --- | --- |
| weights | b for each parameter; in 4 bits 0.56 for those of the language model's layers |
| adapter | 16 for each trained parameter: itself, its gradient and two moments, in 32 bits |
| checkpoints | L B T H b: what gradient checkpointing keeps of each layer |
| layer | 2 B T (27 H + 4 K + 6 I): what one layer keeps while it is recomputed (norms and LoRA inputs in 32 bits, |
|  | attention's arguments, three inner products), and its gradients; without checkpointing it is kept L times |
| attention | 4 B A T² for A heads, with eager attention alone |
| logits | B C V (2 b + 8): logits and their gradient, in b bytes and in 32 bits |
| image | N (values of a patch x 4 + 8 b widths of the vision tower), no gradient |
| reserve | 1 GiB for the driver, and a twentieth of all for gaps |
"""

from dataclasses import dataclass
from typing import Any

_FOUR_BITS = 0.56
"""Bytes a weight in NF4 with doubly quantised scales."""


@dataclass(frozen=True)
class Load:
    """The batch that a step is asked to hold."""

    batch: int
    tokens: int
    columns: int
    patches: int


@dataclass(frozen=True)
class Numbers:
    """How the model is held."""

    parameters: int
    trainable: int
    layer_parameters: int
    """Of the language model's layers, which 4 bits shrink."""
    bytes: int
    four_bits: bool = False
    checkpointing: bool = True
    eager: bool = False


def estimate(config: Any, numbers: Numbers, load: Load) -> dict[str, int]:
    """Bytes by part, and "total". `config` is the base model's configuration."""
    text, vision = config.get_text_config(), config.vision_config
    hidden, inner, layers = text.hidden_size, text.intermediate_size, text.num_hidden_layers
    width = getattr(text, "head_dim", None) or hidden // text.num_attention_heads
    keys = text.num_key_value_heads * width
    places, per = load.batch * load.tokens, numbers.bytes
    layer = 2 * places * (27 * hidden + 4 * keys + 6 * inner)
    values = vision.patch_size**2 * getattr(vision, "temporal_patch_size", 2) * 3
    shrunk = numbers.layer_parameters if numbers.four_bits else 0
    parts = {
        "weights": round((numbers.parameters - shrunk) * per + shrunk * _FOUR_BITS),
        "adapter": 16 * numbers.trainable,
        "checkpoints": layers * places * hidden * per if numbers.checkpointing else 0,
        "layer": layer if numbers.checkpointing else layers * layer,
        "attention": 4 * load.batch * text.num_attention_heads * load.tokens**2 if numbers.eager else 0,
        "logits": load.batch * load.columns * text.vocab_size * (2 * per + 8),
        "image": load.patches * (4 * values + 8 * per * getattr(vision, "hidden_size", hidden)),
    }
    held = sum(parts.values())
    reserve = 2**30 + held // 20
    return {**parts, "reserve": reserve, "total": held + reserve}
