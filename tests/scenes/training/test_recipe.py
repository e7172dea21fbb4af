"""Both stages, the export and the measurement, on a handful of scenes for a few steps."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText, AutoTokenizer

from anomagent.scenes.training import gallery, recipe, tokenizer
from anomagent.scenes.training.loop import shuffled
from anomagent.scenes.training.recipe import Recipe, train

FIGURES = {"present": 4, "precision": 0.9, "recall": 0.8, "f1": 0.85}
SCORES = {
    "first_seed": 2_000_000,
    "kinds": {"missing_leg": FIGURES},
    "false_alarms": 0,
    "clean_scenes": 1,
    "failures": 0,
    "calls": 9,
    **dict.fromkeys(("objects", "anomalies", "whole_image_scan", "per_object", "image_swapped", "image_grey"), FIGURES),
}
TINY = Recipe(1.0, 1.0, scenes=4, vision_batch=2, task_batch=2, held_out=1, max_steps=2)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("training")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(gallery, "_CHUNK", 4)
        patch.setattr(recipe, "measure", lambda folder, count: SCORES | {"scenes": count})
        small = tokenizer.train_tokenizer(scenes=20)
        patch.setattr(recipe, "train_tokenizer", lambda: small)
        patch.setattr(recipe, "cell_scores", lambda trainee: {})
        train(TINY, folder / "work", folder / "out", compiled=False)
        # Again, as after a kill: both stages are finished, so nothing is trained.
        train(replace(TINY, max_steps=2), folder / "work", folder / "out", compiled=False)
    return folder


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_the_exported_directory_loads_like_any_other(trained: Path) -> None:
    out = trained / "out"
    loaded = AutoTokenizer.from_pretrained(out)
    original = tokenizer.wrap(recipe.Tokenizer.from_file(str(trained / "work" / "tokenizer.json")))
    text = '<|im_start|>system\n{"objects": [{"name": "clock", "description": "red, left"}]}'
    assert loaded(text)["input_ids"] == original(text)["input_ids"]
    assert AutoImageProcessor.from_pretrained(out).merge_size == 2
    model = AutoModelForImageTextToText.from_pretrained(out, dtype=torch.float32)
    weights = torch.load(trained / "work" / "tasks.pt", weights_only=True)["model"]
    for name, value in model.state_dict().items():
        assert torch.equal(value, weights[name].bfloat16().float()), name


def test_every_stage_is_logged_and_a_finished_one_is_not_repeated(trained: Path) -> None:
    lines = (trained / "work" / "training.jsonl").read_text().splitlines()
    entries = [json.loads(line) for line in lines]
    assert [(entry["stage"], entry["step"]) for entry in entries] == [("vision", 2), ("tasks", 2)]
    assert entries[1]["answers"] > 0


def test_the_card_and_the_results_are_written(trained: Path) -> None:
    results = json.loads((trained / "work" / "results.json").read_text())
    assert results["scores"]["scenes"] == 1
    assert results["recipe"]["scenes"] == 4
    assert "missing leg" in (trained / "out" / "MODEL_CARD.md").read_text()


def test_every_image_is_shown_once_before_any_is_shown_again() -> None:
    shown = shuffled(range(20), 10, seed=1)
    assert sorted(shown[:10]) == sorted(shown[10:]) == list(range(10))
    assert shown[:10] != shown[10:]
    assert shuffled(range(5, 8), 10, seed=1) == shown[5:8]
