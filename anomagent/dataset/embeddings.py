"""CLIP embeddings of a workspace's pictures, each measured once for a model's weights."""

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.dataset.ahead import in_order
from anomagent.dataset.clip import Clip
from anomagent.errors import UsageError
from anomagent.models.imaging import load_rgb
from anomagent.store import Workspace
from anomagent.store.fingerprints import find_unmeasured, read_fingerprints, save_fingerprints

_AT_ONCE: Final = 32
_PIXELS: Final = 1 << 20
"""A picture is scaled down to so many pixels before the model's own processor sees it."""


def measure_embeddings(
    workspace: Workspace, model: str, progress: Callable[[int, int], None] | None = None
) -> tuple[str, dict[str, str]]:
    """Take and keep the embeddings that images lack; under which method, and by content why an image has none.

    `model` is a CLIP model, by name or directory. Raises `ConfigurationError` where it cannot be used.
    """
    clip = Clip(model)
    method = f"clip:{clip.identity}"
    missing, unreadable, done = find_unmeasured(workspace, method), dict[str, str](), 0

    def prepare(file: tuple[str, Path]) -> tuple[str, Any]:
        try:
            return file[0], clip.prepare(load_rgb(file[1], _PIXELS))
        except UsageError as error:
            unreadable[file[0]] = str(error)
            return file[0], None

    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        loaded = in_order(pool, prepare, missing)
        while some := list(islice(loaded, _AT_ONCE)):
            ready = [(sha256, pixels) for sha256, pixels in some if pixels is not None]
            if ready:
                vectors = clip.embed_images([pixels for _, pixels in ready])
                values = [vector.astype("<f2").tobytes() for vector in vectors]
                save_fingerprints(workspace, method, zip((sha256 for sha256, _ in ready), values, strict=True))
            done += len(some)
            if progress:
                progress(done, len(missing))
    return method, unreadable


def read_embeddings(workspace: Workspace, method: str, wanted: Sequence[str]) -> dict[int, NDArray[np.float32]]:
    """The unit vectors of the contents of `wanted` that have one, by their position in it."""
    known = read_fingerprints(workspace, method)
    found: dict[int, NDArray[np.float32]] = {}
    for position, sha256 in enumerate(wanted):
        if value := known.pop(sha256, None):
            vector = np.frombuffer(value, dtype="<f2").astype(np.float32)
            found[position] = vector / np.float32(np.linalg.norm(vector))
    return found
