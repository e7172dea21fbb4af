"""Base models: found by directory, known by content, and their vision tower watched."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest

from anomagent.errors import ConfigurationError
from anomagent.finetune.base_model import SKIPPED, find_base, load_model, meta_model, quantisation, vision_hash
from anomagent.finetune.config import Lora
from anomagent.finetune.lora import with_lora
from anomagent.finetune.prepare import prepare
from tests.finetune.course import course_config, save_course
from tests.models.tiny import save_tiny


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return save_course(tmp_path / "data", 2)


@pytest.mark.parametrize("family", ["qwen2_vl", "qwen3_vl"])
def test_other_families_are_prepared_alike(family: str, course: Path, tmp_path: Path) -> None:
    prepared = prepare(course_config(save_tiny(family, tmp_path / family), course))
    assert len(prepared.modules) == 14
    assert prepared.steps == 3


def test_a_revision_is_the_content_of_the_directory(tiny: Path, course: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(tiny, tmp_path / "copy"))
    first, same = (find_base(course_config(path, course)) for path in (tiny, copy))
    assert first.revision == same.revision
    config = copy / "generation_config.json"
    config.write_text(config.read_text() + "\n")
    assert find_base(course_config(copy, course)).revision != first.revision


def test_a_tokenizer_of_another_model_is_found_out(tiny: Path, course: Path, tmp_path: Path) -> None:
    mixed = Path(shutil.copytree(tiny, tmp_path / "mixed"))
    config = mixed / "config.json"
    config.write_text(config.read_text().replace('"image_token_id": 5', '"image_token_id": 6'))
    with pytest.raises(ConfigurationError, match="the image token is 5 in its tokenizer and 6 in its config"):
        prepare(course_config(mixed, course))


def test_the_vision_hash_sees_every_weight(tiny: Path, course: Path) -> None:
    import torch

    config = course_config(tiny, course)
    model: Any = with_lora(load_model(find_base(config), config), Lora(every=1))[0]
    before = vision_hash(model)
    assert vision_hash(model) == before
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        parameters["base_model.model.model.language_model.norm.weight"][0] += 1
        assert vision_hash(model) == before
        parameters["base_model.model.model.visual.blocks.1.attn.qkv.bias"][3] += 1e-6
    assert vision_hash(model) != before
    parameters["base_model.model.model.visual.patch_embed.proj.weight"].requires_grad_(True)
    with pytest.raises(RuntimeError, match="the vision tower is not frozen"):
        vision_hash(model)


def test_weights_of_4_bits_leave_out_the_vision_tower(
    tiny: Path, course: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The skipped names are names of modules there; "visual" alone, which others use, is none."""
    config = course_config(tiny, course, None, "quantise=nf4")
    with pytest.raises(ConfigurationError, match="pip install bitsandbytes"):
        quantisation(config)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: name)
    with pytest.raises(ConfigurationError, match="4 bits need a CUDA GPU"):
        quantisation(config)
    modules = dict(meta_model(find_base(config), config).named_modules())
    assert all(name in modules for name in SKIPPED)
    assert "visual" not in modules
