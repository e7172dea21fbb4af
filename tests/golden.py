"""Golden files: what a test produces is compared with the file, or written to it where UPDATE_GOLDEN=1 is set."""

from __future__ import annotations

import os
from pathlib import Path


def assert_golden(path: Path, text: str) -> None:
    """Compare `text` with the file at `path`."""
    if os.environ.get("UPDATE_GOLDEN") == "1":
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.exists(), f"{path} is missing; run UPDATE_GOLDEN=1 pytest and read the diff"
    assert path.read_text(encoding="utf-8") == text, f"{path.name} changed; run UPDATE_GOLDEN=1 pytest, read the diff"
