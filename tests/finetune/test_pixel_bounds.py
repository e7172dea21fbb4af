"""Pixel bounds are proven by what becomes of pictures, not by what a configuration says."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import ConfigurationError
from anomagent.finetune.pixel_bounds import cell_side, prove_bounds
from anomagent.models.qwen_inputs import QwenInputs

PAPER = {"min_pixels": 50_176, "max_pixels": 614_656}


def test_the_papers_bounds_hold(tiny: Path) -> None:
    inputs = QwenInputs.load(str(tiny), None, str(tiny), PAPER)
    probes = prove_bounds(inputs, *PAPER.values())
    assert cell_side(inputs) == 28
    # 50176 = 64 cells of 28 x 28, 614656 = 784.
    assert probes["8x8"] == 64
    assert max(probes.values()) <= 784
    # 1000 x 500 lies between: 36 x 18 cells.
    assert probes["1000x500"] == 36 * 18


def test_an_image_processor_with_other_bounds_is_found_out(tiny: Path) -> None:
    own = QwenInputs.load(str(tiny), None, str(tiny), {})
    with pytest.raises(ConfigurationError, match=r"a probe of 8 x 8 pixels became 12544, outside the bounds 50176"):
        prove_bounds(own, *PAPER.values())


def test_an_image_processor_that_miscounts_is_found_out(tiny: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = QwenInputs.load(str(tiny), None, str(tiny), PAPER)

    def off(height: int, width: int, options: Any) -> int:
        return 4

    monkeypatch.setattr(inputs.image_processor, "get_number_of_image_patches", off)
    with pytest.raises(ConfigurationError, match="miscounts"):
        prove_bounds(inputs, *PAPER.values())
