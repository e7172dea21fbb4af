"""PyTorch, transformers, PEFT and safetensors: whether they are there, kept quiet, and what they raise."""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any, cast

from anomagent.errors import ConfigurationError, UsageError


def need_packages() -> None:
    """Raises `ConfigurationError` where packages are not installed that all of this needs."""
    if missing := [name for name in ("torch", "transformers", "peft", "safetensors") if find_spec(name) is None]:
        raise ConfigurationError(f"adapters need {', '.join(missing)}: pip install 'anomagent[train]'")


@contextmanager
def undamaged(path: Path) -> Generator[Any]:
    """An open safetensors file. Raises `UsageError` where it is truncated or none."""
    from safetensors import safe_open

    try:
        with cast(Any, safe_open)(path, framework="pt") as tensors:
            yield tensors
    except (OSError, damage()) as error:
        raise UsageError(f"{path}: is damaged or cut off ({error}); copy or save it again") from error


@contextmanager
def quiet() -> Generator[None]:
    """No progress bars and no warnings of libraries: what is wrong, the checks say."""
    from transformers.utils import logging

    verbosity = logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(verbosity)


def out_of_memory(error: Exception) -> bool:
    """Whether this is what PyTorch or Python raise where memory runs out."""
    text = str(error).lower()
    return isinstance(error, MemoryError) or "out of memory" in text or "can't allocate memory" in text


def short(error: Exception) -> str:
    """What a library said, on one line of bearable length."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def damage() -> type[Exception]:
    """What safetensors raises for a damaged file or a full disk; imported late."""
    from safetensors import SafetensorError

    return SafetensorError


def refusals() -> tuple[type[Exception], ...]:
    """What transformers raises for a configuration that contradicts itself."""
    from huggingface_hub.errors import StrictDataclassError

    return ValueError, TypeError, StrictDataclassError
