"""Tokens are counted as the model that trains and answers counts them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomagent.errors import ConfigurationError, UsageError
from anomagent.finetune.instances import instance_of
from anomagent.finetune.masking import lesson_of
from anomagent.finetune.samples import BEGIN, END, marked
from anomagent.finetune.tokens import FIRST_BOUND, TokenCounter
from anomagent.models.types import Request
from anomagent.prompts.anomaly_reporter import render_report
from tests.finetune.material import MODEL, counter, save_image
from tests.models.tiny import save_tiny

TURNS = [("Is it real?", "Yes."), ("What is wrong with it?", "@1. Name: leg\n- Reasoning: no")]


@pytest.mark.parametrize("size", [(64, 48), (1000, 30), (4000, 3000), (504, 504)])
def test_an_image_takes_what_the_image_processor_makes_of_it(tmp_path: Path, size: tuple[int, int]) -> None:
    file = save_image(tmp_path / "a.png", 3, size)
    made = counter().inputs.patches(str(file), str(size), FIRST_BOUND)
    assert counter().image(*size) == counter().inputs.cells(made)


def test_cells_by_hand() -> None:
    # 504 x 504 is 18 x 18 cells of 28; 64 x 48 is scaled up to at least 50,176 pixels = 64 cells of 784:
    # sqrt(50176 / 3072) = 4.04, 258.7 x 194.0 pixels, rounded up to 10 x 7 cells.
    assert counter().image(504, 504) == 18 * 18
    assert counter().image(64, 48) == 10 * 7
    # At most 784 cells, whatever the size.
    assert 700 < counter().image(4000, 3000) <= 784


def test_a_conversation_takes_what_training_gives_it() -> None:
    cells = counter().image(64, 48)
    instance = instance_of("1", "a.png", "a" * 64, TURNS)
    assert cells + counter().text(TURNS) == len(lesson_of(counter().inputs, instance, cells).ids)


def test_a_question_takes_what_the_model_is_asked_with(tmp_path: Path) -> None:
    """The conversation is what is asked, the answer, its end and a line break."""
    file, prompt = save_image(tmp_path / "a.png", 3), render_report()
    inputs = counter().inputs
    asked = inputs.of(Request(prompt, str(file), "x", FIRST_BOUND, 100, None))
    answer = inputs.tokens("Nothing at all.<|im_end|>\n", 0)
    assert counter().image(64, 48) + counter().text([(prompt.text, "Nothing at all.")]) == len(asked.ids) + len(answer)


def test_samples_mark_what_is_learned() -> None:
    instance, cells = instance_of("1", "a.png", "a" * 64, TURNS), 4
    text = marked(counter(), instance, cells)
    learned = "".join(part.partition(END)[0] for part in text.split(BEGIN)[1:])
    assert learned == "Yes.<|im_end|>" + TURNS[1][1] + "<|im_end|>"
    lesson = lesson_of(counter().inputs, instance, cells)
    assert counter().inputs.tokens(learned, 0) == [label for label in lesson.labels if label >= 0]
    assert "<|image_pad|> x 4<|vision_end|>Is it real?" in text


def test_the_bounds_are_those_that_were_given() -> None:
    assert counter(784, 784 * 4).image(504, 504) == 4
    counter(784, 784 * 4).prove([(504, 504), (64, 48), (3000, 40)])


def test_bounds_that_do_not_hold_are_noticed() -> None:
    one = TokenCounter.load(MODEL, 784, 784 * 4)
    one.image(504, 504)
    one.inputs.image_processor.size = {"shortest_edge": 784, "longest_edge": 784 * 16}
    with pytest.raises(ConfigurationError, match="16 tokens of 504 x 504 pixels, where 4 were foreseen"):
        one.prove([(504, 504)])


def test_an_image_too_thin_is_refused() -> None:
    with pytest.raises(UsageError, match="6300 x 30 pixels: this model cannot take the image"):
        counter().image(6300, 30)


def test_models_of_other_cells(tmp_path: Path) -> None:
    directory = save_tiny("qwen2_5_vl", tmp_path / "model")
    tiny = TokenCounter.load(str(directory), 784, 614_656)
    assert tiny.image(56, 56) == 4
    assert tiny.layers == 2
    assert tiny.identity.startswith("model@")
    # Its tokenizer knows bytes alone: one more letter is one more token.
    assert tiny.text([("q", "ab")]) == tiny.text([("q", "a")]) + 1


def test_embedded_is_a_model() -> None:
    assert TokenCounter.load("embedded", 784, 3136).identity.startswith("embedded_weights@")


def test_what_is_no_model_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigurationError, match="no tokenizer and image processor of a Qwen-VL model") as raised:
        TokenCounter.load(str(tmp_path / "empty"), 784, 3136)
    assert "\n" not in str(raised.value)
    with pytest.raises(ConfigurationError, match="swap them"):
        TokenCounter.load(MODEL, 3136, 784)


def test_a_tokenizer_of_another_family_is_refused(tmp_path: Path) -> None:
    directory = tmp_path / "other"
    shutil.copytree(MODEL, directory, ignore=shutil.ignore_patterns("*.safetensors"))
    (directory / "preprocessor_config.json").write_text(
        json.dumps({"image_processor_type": "CLIPImageProcessor", "size": {"shortest_edge": 224}})
    )
    with pytest.raises(ConfigurationError, match="no tokenizer and image processor of a Qwen-VL model"):
        TokenCounter.load(str(directory), 784, 3136)
