"""What a backbone's directory holds, known by its whole content: embeddings that are kept must never be another's."""

import hashlib
import os
from functools import lru_cache
from pathlib import Path
from typing import Final

_UNREAD: Final = frozenset({".md", ".png", ".jpg", ".log", ".jsonl", ".pt", ".h5", ".msgpack", ".onnx"})
"""Endings of files that no backbone is loaded from. One too few costs time only, one too many would cost the truth."""


def content_hash(directory: Path) -> str:
    """Sixteen hex digits over the names and all bytes of the files that a backbone may be loaded from.

    A file is read once in a process, as long as its size and times stay. Raises `OSError` where one cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(each for each in directory.iterdir() if each.is_file() and each.suffix not in _UNREAD):
        status = path.stat()
        # A copy can keep the time of its last change; that of its arrival it cannot.
        content = _file_hash(path.resolve(), status.st_size, status.st_mtime_ns, status.st_ctime_ns)
        digest.update(os.fsencode(path.name) + b"\0" + content)
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_hash(path: Path, _size: int, _modified: int, _arrived: int) -> bytes:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").digest()
