# pyright: basic
"""LoRA on chosen layers of the language model: the modules are named by a regex, and the hits are asserted."""

import re
import warnings
from typing import Any

from anomagent.errors import ConfigurationError
from anomagent.finetune.config import Lora

_LAYER = re.compile(r"^(?:.*\.)?language_model\.layers\.(\d+)\.(?:self_attn|mlp)\.\w+_proj$")


def chosen_layers(count: int, lora: Lora) -> list[int]:
    """Numbers of the adapted layers, of `count`."""
    return list(range(lora.offset, count, lora.every))


def target_regex(layers: list[int], lora: Lora) -> str:
    """What names the adapted modules, for PEFT, which matches whole names."""
    numbers, projections = "|".join(map(str, layers)), "|".join(lora.projections)
    return rf"(?:.*\.)?language_model\.layers\.({numbers})\.(?:self_attn|mlp)\.({projections})"


def adapted_modules(model: Any, lora: Lora) -> list[str]:
    """The full names of the modules that will be adapted.

    Raises `ConfigurationError` unless every chosen layer of the language model has every projection, once.
    """
    names = [name for name, _ in model.named_modules()]
    present = {int(hit[1]) for name in names if (hit := _LAYER.match(name))}
    configured = model.config.get_text_config().num_hidden_layers
    if present != set(range(configured)):
        raise ConfigurationError(
            f"the base model has no layers language_model.layers.0 to {configured - 1} with projections;"
            " is it a Qwen-VL model of a known kind?"
        )
    layers = chosen_layers(configured, lora)
    pattern = re.compile(target_regex(layers, lora))
    hits = [name for name in names if pattern.fullmatch(name)]
    expected = len(layers) * len(set(lora.projections))
    if not layers or len(hits) != expected:
        raise ConfigurationError(
            f"lora: {len(hits)} modules of the base model fit where {expected} were expected"
            f" ({len(layers)} of {configured} layers, {', '.join(lora.projections)}); check lora.offset and projections"
        )
    return hits


def with_lora(model: Any, lora: Lora) -> tuple[Any, list[str]]:
    """The model with fresh adapters, all else frozen, and the names of the adapted modules.

    Raises `ConfigurationError` as `adapted_modules` does, and `RuntimeError` where anything else would be trained.
    """
    import peft

    modules = adapted_modules(model, lora)
    model.requires_grad_(False)
    layers = chosen_layers(model.config.get_text_config().num_hidden_layers, lora)
    config = peft.LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=target_regex(layers, lora),
        task_type="CAUSAL_LM",
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # peft asks transformers for things by their older names
        adapted = peft.get_peft_model(model, config)
    _assert_only(adapted, modules)
    return adapted, modules


def recompute_layers(model: Any) -> None:
    """Gradient checkpointing: keep each layer's input alone and compute the rest anew for its gradient."""
    base, how = model.get_base_model(), {"use_reentrant": False}
    if hasattr(base, "activation_checkpointing_enable"):
        base.activation_checkpointing_enable(activation_checkpointing_kwargs=how)
    else:
        base.gradient_checkpointing_enable(gradient_checkpointing_kwargs=how)
    # Inputs with gradients would make all in front of the first adapter be kept, and this way needs none.
    base.disable_input_require_grads()


def trainable_parameters(model: Any) -> tuple[int, int]:
    """Numbers that are trained, and all numbers, also of 4 bits."""
    return tuple(model.get_nb_trainable_parameters())


def _assert_only(model: Any, modules: list[str]) -> None:
    """What learns is two matrices a module, and none of them in the vision tower."""
    learning = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    expected = {f"base_model.model.{module}.lora_{side}.default.weight" for module in modules for side in "AB"}
    if learning != expected:
        raise RuntimeError(f"other parameters would be trained than meant, such as {min(learning ^ expected)}")
