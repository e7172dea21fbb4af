# pyright: basic
"""From a `Backbone` to a model and its tokenizer in memory, without a word of transformers' own."""

import logging
import pickle
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anomagent.errors import ConfigurationError
from anomagent.evaluation.similarity.backbone import LOCAL_HINT, Backbone
from anomagent.evaluation.similarity.content import content_hash
from anomagent.evaluation.similarity.devices import find_device

FAMILIES: Final[dict[str, tuple[str, dict[str, Any]]]] = {
    "bert": ("BertModel", {"add_pooling_layer": False}),
    "distilbert": ("DistilBertModel", {}),
    "roberta": ("RobertaModel", {"add_pooling_layer": False}),
    "t5": ("T5EncoderModel", {}),
    "mt5": ("MT5EncoderModel", {}),
}
"""By `model_type`: transformers' class and what it is made with."""

_NEEDED = (("*.safetensors", "*.bin"), ("tokenizer.json", "vocab.*", "*.model"))
"""Files, one of each kind, without which a model in the hub's cache is not whole: weights, vocabulary."""
_HUB_SECONDS = 10.0
_SILENT = logging.CRITICAL


@dataclass(frozen=True)
class Loaded:
    """A backbone in memory."""

    model: Any
    """Its first layers, in evaluation mode, on its device; called with ids and a mask, gives `last_hidden_state`."""
    tokenizer: Any
    positions: int | None
    """The longest text that the model itself can take, special tokens included; None where it has no limit."""
    identity: str
    """What embeddings depend on: content hash, or hub name and commit; layer; precision."""


def load(backbone: Backbone) -> Loaded:
    """Load a backbone. Raises `ConfigurationError` in one line where that is impossible."""
    try:
        import torch  # noqa: F401  # are they there at all?
        import transformers  # noqa: F401
        from safetensors import SafetensorError
    except ImportError as error:
        raise ConfigurationError(f"similarity needs more packages: pip install 'anomagent[local]' ({error})") from error
    device = find_device(backbone.device)
    unusable = (OSError, ValueError, KeyError, TypeError, RuntimeError, ImportError, EOFError)
    try:
        with _quiet():
            return _load_from(backbone.directory or _snapshot(backbone.name), backbone, device)
    except (*unusable, pickle.UnpicklingError, SafetensorError) as error:
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        raise ConfigurationError(f"backbone {backbone.name} cannot be loaded: {reason}; {LOCAL_HINT}") from error


def _snapshot(name: str) -> Path:
    """The directory of a hub's model; one that is not whole in the hub's cache is downloaded."""
    from huggingface_hub import snapshot_download

    try:
        snapshot = Path(snapshot_download(name, local_files_only=True))
    except FileNotFoundError:
        return _download(name)
    whole = all(any(file for pattern in kind for file in snapshot.glob(pattern)) for kind in _NEEDED)
    return snapshot if whole else _download(name)


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    try:
        info = HfApi().model_info(name, timeout=_HUB_SECONDS)
        files = [sibling.rfilename for sibling in info.siblings or []]
        safe = any(name.startswith("model") and name.endswith(".safetensors") for name in files)
        wanted = ["*.json", "*.txt", "*.model", "model*.safetensors*" if safe else "pytorch_model*.bin*"]
        return Path(snapshot_download(name, revision=info.sha, allow_patterns=wanted))
    except Exception as error:  # The hub's client raises its HTTP library's errors, which have no base to rely on.
        raise OSError(f"it is not on this machine and the hub did not give it ({error})") from error


def _load_from(directory: Path, backbone: Backbone, device: str) -> Loaded:
    import torch
    from transformers import AutoConfig, AutoTokenizer

    local = {"local_files_only": True, "trust_remote_code": False}
    config = AutoConfig.from_pretrained(directory, **local)
    _check(config, backbone)
    tokenizer = AutoTokenizer.from_pretrained(directory, **local)
    if len(tokenizer) > config.vocab_size:
        raise ValueError(f"its tokenizer has {len(tokenizer)} tokens, its model {config.vocab_size}")
    dtype = torch.bfloat16 if backbone.precision == "bf16" else torch.float32
    model = _load_model(directory, config, dtype).to(device).eval()
    revision = f"{backbone.name}@{directory.name}" if backbone.directory is None else content_hash(directory)
    identity = f"{revision} layer {backbone.depth} {backbone.precision}"
    return Loaded(model, tokenizer, _positions(config), identity)


def _check(config: Any, backbone: Backbone) -> None:
    if config.model_type not in FAMILIES:
        raise ValueError(f"it is a model of type {config.model_type}")
    if backbone.depth > config.num_hidden_layers:
        raise ConfigurationError(
            f"backbone {backbone.name} has no layer {backbone.depth}; choose --layer 1 to {config.num_hidden_layers}"
        )
    config.num_hidden_layers = backbone.depth


def _load_model(directory: Path, config: Any, dtype: Any) -> Any:
    """The layers that `config` asks for. Raises `ValueError` where the directory lacks a weight of theirs."""
    import transformers

    name, options = FAMILIES[config.model_type]
    model, report = getattr(transformers, name).from_pretrained(
        directory, config=config, dtype=dtype, output_loading_info=True, local_files_only=True, **options
    )
    if missing := sorted(report["missing_keys"]):
        raise ValueError(f"its weights lack {missing[0]} and {len(missing) - 1} more")
    return model


def _positions(config: Any) -> int | None:
    """How many positions the model knows; RoBERTa's begin behind the padding's, T5's are relative."""
    known = getattr(config, "max_position_embeddings", None)
    return known - config.pad_token_id - 1 if known and config.model_type == "roberta" else known


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of transformers' bars, reports and warnings; as before afterwards."""
    from huggingface_hub.utils import logging as hub_logging
    from transformers.utils import logging as own_logging

    levels, bars = (own_logging.get_verbosity(), hub_logging.get_verbosity()), own_logging.is_progress_bar_enabled()
    own_logging.set_verbosity(_SILENT)
    hub_logging.set_verbosity(_SILENT)
    own_logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        own_logging.set_verbosity(levels[0])
        hub_logging.set_verbosity(levels[1])
        if bars:
            own_logging.enable_progress_bar()
