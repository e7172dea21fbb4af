# pyright: basic
"""CLIP: pictures and texts as vectors of one space, through transformers and without torchvision."""

import hashlib
import logging
import os
import pickle
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from PIL import Image

from anomagent.errors import ConfigurationError

_PATTERNS: Final = ("*.json", "*.txt", "*.model", "*.safetensors")
_OLD_WEIGHTS: Final = "pytorch_model*.bin"
_HINT: Final = "give --model a directory with a CLIP model, or a hub name such as openai/clip-vit-base-patch32"
_SECONDS: Final = 10.0
_LONGEST: Final = 8
"""How many times its shorter side the longer side of a picture may be before its ends are cut off."""


class Clip:
    """A CLIP model in memory, in float32. Raises `ConfigurationError` in one line where it cannot be loaded or used.

    `name` is a local directory with model, tokenizer and image processor, else a hub name, downloaded once. `device` is
    one of auto, cpu, cuda, cuda:N, mps; auto is a GPU where there is one.
    """

    def __init__(self, name: str, device: str = "auto") -> None:
        try:
            import torch  # noqa: F401  # are they there at all?
            import transformers  # noqa: F401
            from safetensors import SafetensorError
        except ImportError as error:
            raise ConfigurationError(f"CLIP needs more packages: pip install 'anomagent[local]' ({error})") from error
        self._device = _find_device(device)
        unusable = (OSError, ValueError, KeyError, TypeError, AttributeError, RuntimeError, ImportError, EOFError)
        try:
            with _quiet():
                folder = _folder_of(name)
                self._load(folder)
                self._try_out()
        except (*unusable, pickle.UnpicklingError, SafetensorError) as error:
            reason = " ".join(str(error).split())[:300] or type(error).__name__
            raise ConfigurationError(f"CLIP model {name} cannot be used: {reason}; {_HINT}") from error
        self.identity = _content_hash(folder)
        """A hash of all that embeddings depend on; what the folder or the hub calls the model is no part of it."""

    @property
    def temperature(self) -> float:
        """What cosines are multiplied by before a softmax: CLIP's learned scale, about 100."""
        return float(self._model.logit_scale.detach().exp())

    @property
    def longest_text(self) -> int:
        """Tokens of a text that the model can take, special ones included; the rest of a longer text is not seen."""
        return self._model.config.text_config.max_position_embeddings

    def prepare(self, image: Image.Image) -> Any:
        """An RGB picture as the model takes it: float32, (3, side, side). May be called from any thread."""
        return self._processor(images=[_middle(image)], return_tensors="np")["pixel_values"][0]

    def embed_images(self, prepared: Sequence[Any]) -> Any:
        """Unit vectors of prepared pictures: float32, (pictures, width). Other pictures in the batch do not matter."""
        import numpy as np
        import torch

        with torch.inference_mode():
            pixels = torch.from_numpy(np.stack(prepared)).to(self._device, torch.float32)
            vectors = self._model.visual_projection(self._model.vision_model(pixel_values=pixels).pooler_output)
        return _unit(vectors)

    def embed_texts(self, texts: Sequence[str]) -> Any:
        """Unit vectors of texts: float32, (texts, width)."""
        import torch

        tokens = self._tokenizer(
            list(texts), padding=True, truncation=True, max_length=self.longest_text, return_tensors="pt"
        ).to(self._device)
        with torch.inference_mode():
            hidden = self._model.text_model(input_ids=tokens.input_ids, attention_mask=tokens.attention_mask)
            vectors = self._model.text_projection(hidden.pooler_output)
        return _unit(vectors)

    def _load(self, folder: Path) -> None:
        import torch
        import transformers

        local = {"local_files_only": True, "trust_remote_code": False}
        config = transformers.AutoConfig.from_pretrained(folder, **local)
        if config.model_type != "clip":
            raise ValueError(f"it is a model of type {config.model_type}, not clip")
        self._tokenizer = transformers.AutoTokenizer.from_pretrained(folder, **local)
        # Older versions have one class, which uses PIL; newer ones call that so, and the other needs torchvision.
        processor = getattr(transformers, "CLIPImageProcessorPil", None) or transformers.CLIPImageProcessor
        self._processor = processor.from_pretrained(folder, local_files_only=True)
        loaded: Any = transformers.CLIPModel.from_pretrained(
            folder, config=config, dtype=torch.float32, output_loading_info=True, local_files_only=True
        )
        model, report = loaded
        if missing := sorted(report["missing_keys"]):
            raise ValueError(f"its weights lack {missing[0]} and {len(missing) - 1} more")
        if len(self._tokenizer) > config.text_config.vocab_size:
            raise ValueError(f"its tokenizer has {len(self._tokenizer)} tokens, its model fewer")
        self._model = model.to(self._device).eval()

    def _try_out(self) -> None:
        """Sizes that do not fit, or weights that are no numbers, show up here and not among the images."""
        import numpy as np

        grey = self.prepare(Image.new("RGB", (40, 30), (128, 128, 128)))
        for vectors in (self.embed_images([grey]), self.embed_texts(["a photograph"])):
            if not np.isfinite(vectors).all():
                raise ValueError("its weights give no finite numbers")


def _middle(image: Image.Image) -> Image.Image:
    """The middle of a long picture: only a square of it is seen, and scaling the whole could take any memory."""
    most = min(image.size) * _LONGEST
    if max(image.size) <= most:
        return image
    left, top = (max(0, (side - most) // 2) for side in image.size)
    return image.crop((left, top, left + min(image.width, most), top + min(image.height, most)))


def _unit(vectors: Any) -> Any:
    return (vectors / vectors.norm(dim=-1, keepdim=True)).float().cpu().numpy()


def _find_device(name: str) -> str:
    import torch

    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    try:
        torch.empty(0, device=name)
    except (RuntimeError, AssertionError) as error:
        raise ConfigurationError(f"device {name} cannot be used here; choose auto or cpu") from error
    return name


def _folder_of(name: str) -> Path:
    """The local directory, or that of the hub's cache, into which what is not there is downloaded."""
    if os.path.isdir(folder := os.path.expanduser(name)):
        return Path(folder)
    if name.startswith(("/", ".", "~")):
        raise OSError("there is no such directory")
    from huggingface_hub import snapshot_download

    try:
        found = Path(snapshot_download(name, local_files_only=True))
    except FileNotFoundError:
        return _download(name)
    return found if _weights(found) else _download(name)


def _download(name: str) -> Path:
    from huggingface_hub import HfApi, snapshot_download

    try:
        info = HfApi().model_info(name, timeout=_SECONDS)
        is_safe = any(file.rfilename.endswith(".safetensors") for file in info.siblings or [])
        wanted = [*_PATTERNS, *([] if is_safe else [_OLD_WEIGHTS])]
        return Path(snapshot_download(name, revision=info.sha, allow_patterns=wanted))
    except Exception as error:  # the hub's client raises its HTTP library's errors, which have no base to rely on
        raise OSError(f"it is not on this machine and the hub did not give it ({error})") from error


def _weights(folder: Path) -> list[Path]:
    return list(folder.glob("*.safetensors")) or list(folder.glob(_OLD_WEIGHTS))


def _content_hash(folder: Path) -> str:
    """Sixteen hex digits over the names and bytes of the files that a model is loaded from."""
    digest = hashlib.sha256()
    files = {*_weights(folder), *(file for pattern in _PATTERNS for file in folder.glob(pattern))}
    for path in sorted(files):
        with path.open("rb") as file:
            digest.update(os.fsencode(path.name) + b"\0" + hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:16]


@contextmanager
def _quiet() -> Iterator[None]:
    """Nothing of transformers' bars, reports and warnings; as before afterwards."""
    from transformers.utils import logging as theirs

    level, bars = theirs.get_verbosity(), theirs.is_progress_bar_enabled()
    theirs.set_verbosity(logging.CRITICAL)
    theirs.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        theirs.set_verbosity(level)
        if bars:
            theirs.enable_progress_bar()
