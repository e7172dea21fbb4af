"""How an adapter is served: the command of vLLM, and what vLLM would leave out."""

import json
import re
import shlex
from typing import Final

from anomagent.finetune.serving.adapters import Adapter
from anomagent.finetune.serving.bounds import Bounds
from anomagent.models.embedded import DIRECTORY

RANKS: Final = (8, 16, 32, 64, 128, 256, 320, 512)
"""The values that vLLM takes for --max-lora-rank."""
_RUN = re.compile(r"adapter|final|checkpoint-\d+")
"""Names of folders that say nothing about what was trained."""
_LANGUAGE = re.compile(r"\b(language_model|^model)\.layers\.")
"""Layers of the language model, in the old layout as well."""


def serve_command(adapter: Adapter, base: str, name: str, bounds: Bounds | None) -> str:
    """The shell command that serves `adapter` as `name` over its base, one picture a question."""
    base = str(DIRECTORY) if base == "embedded" else base
    rank = next((rank for rank in RANKS if rank >= adapter.rank), RANKS[-1])
    words = ["vllm", "serve", base, "--enable-lora", "--max-lora-rank", str(rank)]
    words += ["--lora-modules", f"{name}={adapter.directory.resolve()}", *_pictures(bounds)]
    return shlex.join(words)


def merged_command(directory: str, name: str, bounds: Bounds | None) -> str:
    """The shell command that serves a merged model as `name`."""
    return shlex.join(["vllm", "serve", directory, "--served-model-name", name, *_pictures(bounds)])


def served_name(adapter: Adapter) -> str:
    """A name for the adapter at a server: its folder's, or the run's around it."""
    folder = adapter.directory.resolve()
    if _RUN.fullmatch(folder.name) and folder.parent.name:
        folder = folder.parent
    return re.sub(r"[^A-Za-z0-9._]+", "-", folder.name).strip("-.") or "adapter"


def serving_problem(adapter: Adapter) -> str | None:
    """Why vLLM would not serve the adapter as it was trained."""
    config = adapter.config
    if adapter.rank > RANKS[-1]:
        return f"rank {adapter.rank} is more than vLLM takes ({RANKS[-1]})"
    if config.use_dora:
        return "vLLM takes no DoRA"
    if config.bias != "none":
        return "vLLM takes no trained bias"
    if config.modules_to_save:
        return f"vLLM takes no whole modules ({', '.join(config.modules_to_save)})"
    if foreign := next((module for module in adapter.modules if not _LANGUAGE.search(module)), None):
        return f"vLLM ignores LoRA outside of the language model's layers, as on {foreign}"
    return None


def _pictures(bounds: Bounds | None) -> list[str]:
    words = ["--limit-mm-per-prompt", '{"image":1}']
    if bounds:
        words += ["--mm-processor-kwargs", json.dumps(bounds.options(), separators=(",", ":"))]
    return words
