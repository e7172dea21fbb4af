from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.models.qwen_inputs import QwenInputs
from tests.models.tiny import save_tiny


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random Qwen2.5-VL of two layers."""
    return save_tiny("qwen2_5_vl", tmp_path_factory.mktemp("tiny"))


@pytest.fixture(scope="session")
def inputs(tiny: Path) -> QwenInputs:
    """Its tokenizer (a token a byte) and image processor (4 x 4 tokens an image)."""
    return QwenInputs.load(str(tiny), None, str(tiny), {})
