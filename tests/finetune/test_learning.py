"""Fine-tuning teaches, through the commands themselves; training on the answers of other images does not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BENCHMARK = Path(__file__).parents[2] / "benchmarks" / "learning.py"
RISE = 0.3


@pytest.fixture(scope="module")
def systems() -> dict[str, Any]:
    """Figures on held-out scenes: before, after, and of the control."""
    done = subprocess.run([sys.executable, str(BENCHMARK), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads(done.stdout)["systems"]
    print(figures)
    return figures


def test_semf1_rises_on_held_out_scenes(systems: dict[str, Any]) -> None:
    after = systems["after"]["SemF1"]
    assert after >= systems["before"]["SemF1"] + RISE
    # Nor is it the form alone: asked for JSON, which it can write, the untrained model sees less as well.
    assert after >= systems["before, JSON"]["SemF1"] + RISE


def test_the_answers_of_other_images_teach_nothing(systems: dict[str, Any]) -> None:
    control = systems["control"]["SemF1"]
    assert control < systems["before"]["SemF1"] + RISE
    assert control < systems["after"]["SemF1"] - RISE


def test_the_new_family_is_found_and_nowhere_else(systems: dict[str, Any]) -> None:
    """20 of 100 scenes hold it; who always claims it has 20 right, of 100."""
    assert systems["before, JSON"]["new"]["right"] == 0
    after = systems["after"]["new"]
    assert after["right"] > after["present"] / 2
    assert after["right"] > after["claimed"] / 2
