"""What a model directory holds, known by content."""

import hashlib
from functools import lru_cache
from pathlib import Path

WHOLE = 256 * 2**20
"""Bytes up to which a file is hashed as a whole; of larger ones evenly spaced blocks are."""
_BLOCK, _BLOCKS = 2**20, 64
_IGNORED = frozenset({".md", ".gitattributes", ".png", ".jpg", ".pt", ".log", ".jsonl"})


def directory_hash(directory: Path) -> str:
    """Sixteen hex digits over the names and contents of the files that decide a model's answers.

    Weights of many gigabytes are sampled (64 blocks of 1 MiB and the size): enough to tell checkpoints apart.
    """
    digest = hashlib.sha256()
    for path in sorted(p for p in directory.iterdir() if p.is_file() and p.suffix not in _IGNORED):
        status = path.stat()
        digest.update(f"{path.name}\0{_file_hash(path, status.st_size, status.st_mtime_ns)}\0".encode())
    return digest.hexdigest()[:16]


@lru_cache(maxsize=256)
def _file_hash(path: Path, size: int, _modified: int) -> str:
    digest = hashlib.sha256(str(size).encode())
    with path.open("rb") as file:
        if size <= WHOLE:
            while block := file.read(_BLOCK):
                digest.update(block)
        else:
            for number in range(_BLOCKS):
                file.seek((size - _BLOCK) * number // (_BLOCKS - 1))
                digest.update(file.read(_BLOCK))
    return digest.hexdigest()
