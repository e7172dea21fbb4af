# pyright: basic
"""Embeddings of ground truth on disk, so that the next system on the same data costs half."""

import hashlib
import json
import os
import shutil
import uuid
import zlib
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from anomagent.evaluation.similarity.embedder import Embedded, Embedder

FORMAT: Final = 1
"""Goes up when the same texts would give other vectors, or the files' layout changes."""
KEPT_FREE: Final = 2**30
"""Bytes that the cache leaves on its disk."""


def default_directory() -> Path:
    """`anomagent/embeddings` in the user's cache directory."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "anomagent" / "embeddings"


class EmbeddingCache:
    """One file for each image's ground-truth texts, named by what it depends on: backbone, texts, format.

    Several processes may share a directory: files appear whole or not at all. A file that cannot be read, or whose
    content is damaged, is as good as none. Where writing fails or the disk is nearly full, nothing more is written and
    `note` is told so once.
    """

    def __init__(self, directory: Path | None = None, note: Callable[[str], object] = lambda _: None) -> None:
        self.directory = directory or default_directory()
        self._note = note
        self._writes = True

    def load(self, embedder: Embedder, texts: Sequence[str]) -> dict[str, Embedded] | None:
        """The texts' embeddings on the embedder's device, None where they are not there."""
        from safetensors import SafetensorError
        from safetensors.torch import load

        try:
            tensors = load(self._path(embedder, texts).read_bytes())
            return _unpack(tensors, texts, embedder)
        except (OSError, SafetensorError, KeyError, ValueError):
            return None

    def save(self, embedder: Embedder, embedded: Mapping[str, Embedded]) -> None:
        """Keep these texts' embeddings."""
        from safetensors.torch import save

        if not self._writes:
            return
        path = self._path(embedder, list(embedded))
        temporary = path.with_suffix(f".{uuid.uuid4().hex}.tmp")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            data = save(_pack(list(embedded.values())))
            if shutil.disk_usage(path.parent).free - len(data) < KEPT_FREE:
                raise OSError("the disk is nearly full")
            temporary.write_bytes(data)
            temporary.replace(path)
        except OSError as error:
            self._writes = False
            self._note(f"embeddings are no longer kept in {self.directory}: {error.strerror or error}")
        finally:
            _remove(temporary)

    def _path(self, embedder: Embedder, texts: Sequence[str]) -> Path:
        content = json.dumps([FORMAT, embedder.identity, list(texts)])
        key = hashlib.sha256(content.encode()).hexdigest()
        return self.directory / key[:2] / f"{key}.safetensors"


def _pack(texts: Sequence[Embedded]) -> dict[str, Any]:
    import torch

    tensors = {
        "vectors": torch.cat([each.vectors for each in texts]).cpu(),
        "weights": torch.from_numpy(np.concatenate([each.weights for each in texts])),
        "lengths": torch.tensor([len(each.weights) for each in texts]),
        "truncated": torch.tensor([each.truncated for each in texts]),
    }
    return tensors | {"checksum": torch.tensor(_checksum(tensors))}


def _unpack(tensors: dict[str, Any], texts: Sequence[str], embedder: Embedder) -> dict[str, Embedded]:
    """Raises `KeyError` or `ValueError` where the tensors are not whole, or not those of these texts."""
    if tensors.pop("checksum").tolist() != _checksum(tensors):
        raise ValueError("checksum")
    vectors, weights, lengths = tensors["vectors"], tensors["weights"], tensors["lengths"].tolist()
    shapes = (tuple(vectors.shape), tuple(weights.shape), len(lengths), vectors.dtype)
    if shapes != ((sum(lengths), embedder.width), (sum(lengths),), len(texts), embedder.dtype):
        raise ValueError("shapes")
    pieces = zip(vectors.to(embedder.device).split(lengths), weights.split(lengths), strict=True)
    found = [
        Embedded(piece, weight.numpy(), truncated)
        for (piece, weight), truncated in zip(pieces, tensors["truncated"].tolist(), strict=True)
    ]
    return dict(zip(texts, found, strict=True))


def _checksum(tensors: Mapping[str, Any]) -> int:
    import torch

    total = 0
    for _, tensor in sorted(tensors.items()):
        total = zlib.crc32(tensor.contiguous().flatten().view(torch.uint8).numpy(), total)
    return total


def _remove(path: Path) -> None:
    """Take a temporary file away, where it is still there."""
    try:
        path.unlink(missing_ok=True)
    except OSError:
        return  # A disk that refuses this too has been spoken of already.
