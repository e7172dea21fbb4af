"""A dry run says what would happen, and needs no weights for most of it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from anomagent.finetune.config import load_config
from anomagent.finetune.dry_run import describe, dry_run, mask_text
from tests.finetune.course import ANSWER, QUESTION, course_config, save_course
from tests.finetune.sizes import qwen2_5_vl_7b


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return save_course(tmp_path / "data", 6, turns=2)


def test_with_weights(tiny: Path, course: Path, tmp_path: Path) -> None:
    run = dry_run(course_config(tiny, course, tmp_path / "run"))
    assert run.timing is not None
    assert run.timing.seconds > 0
    assert run.seconds == pytest.approx(9 * run.timing.seconds)  # 3 epochs of 6 instances, 2 at once
    assert len(run.longest) == 2
    lengths = [one.tokens for one in run.prepared.measured]
    assert [lengths[n] for n in run.longest] == sorted(lengths)[:-3:-1]
    assert not (tmp_path / "run").exists()


def test_the_mask_is_shown_as_text(tiny: Path, course: Path) -> None:
    run = dry_run(course_config(tiny, course), meta=True)
    number = int(run.sample.removeprefix("n"))
    cells = run.prepared.measured[number].cells
    assert mask_text(run.mask) == (
        "<|im_start|>system\nYou are a helpful assistant.<|im_end|>\n"
        f"<|im_start|>user\n<|vision_start|><|image_pad|> x {cells}<|vision_end|>Is it generated?<|im_end|>\n"
        "<|im_start|>assistant\n⟦yes<|im_end|>⟧\n"
        f"<|im_start|>user\n{QUESTION}<|im_end|>\n"
        f"<|im_start|>assistant\n⟦{ANSWER.format(number)}<|im_end|>⟧\n"
    )


def test_without_weights_the_7b_recipe_runs_up_to_where_they_are_needed(
    tiny: Path, course: Path, tmp_path: Path
) -> None:
    """A directory of the published size that holds configuration, tokenizer and image processor only."""
    base = tmp_path / "base"
    shutil.copytree(tiny, base, ignore=shutil.ignore_patterns("*.safetensors", "config.json"))
    config = qwen2_5_vl_7b()
    config.image_token_id = 5
    config.save_pretrained(base)
    run = dry_run(load_config("anomreasonor-7b", [f"base={base}", f"data.train={course}"]))
    assert run.timing is None
    assert run.trainable == 860_160
    assert run.prepared.steps == 1
    lines = describe(run)
    assert "trained: 860,160 of 8,293,026,816 parameters (0.0104%), in 21 modules" in lines[1]
    assert run.memory["weights"] == 2 * 8_293_026_816
    assert any("image tokens of probes: 8x8 64" in line for line in lines)
    assert any(line.startswith("time: unknown") for line in lines)
    figures = run.as_dict()
    assert figures["longest_batch"][0]["tokens"] == max(one.tokens for one in run.prepared.measured)
    assert figures["seconds"] is None
