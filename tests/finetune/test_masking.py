"""What is learned: each answer with its end, to the token, and in front of it what the model is asked with."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.finetune.examples import Row, read_rows
from anomagent.finetune.generation import request_of
from anomagent.finetune.instances import IMAGE_MARK, Instance, instance_of
from anomagent.finetune.masking import IGNORED, Lesson, lesson_of
from anomagent.models.qwen_inputs import QwenInputs
from tests.finetune.course import ANSWER, save_course

SHA = "a" * 64
CELLS = 16


def learned_text(inputs: QwenInputs, lesson: Lesson) -> str:
    """What is learned, each stretch between bars."""
    stretches: list[list[int]] = []
    for place, label in enumerate(lesson.labels):
        if label != IGNORED:
            assert label == lesson.ids[place]
            if lesson.labels[place - 1] == IGNORED:
                stretches.append([])
            stretches[-1].append(label)
    return "|".join(map(inputs.spell, stretches))


def test_one_turn(inputs: QwenInputs) -> None:
    lesson = lesson_of(inputs, instance_of("1", "a.png", SHA, [("Why?", "Because.")]), CELLS)
    assert learned_text(inputs, lesson) == "Because.<|im_end|>"
    # A token a byte: "Because." has 8, and one ends it.
    assert lesson.learned == 9
    assert lesson.ids.count(inputs.image_id) == CELLS


def test_every_answer_of_two_turns(inputs: QwenInputs) -> None:
    one = instance_of("1", "a.png", SHA, [("Fake?", "yes"), ("Why?", "Because.")])
    assert learned_text(inputs, lesson_of(inputs, one, CELLS)) == "yes<|im_end|>|Because.<|im_end|>"
    with_break = lesson_of(inputs, one, CELLS, newline=True)
    assert learned_text(inputs, with_break) == "yes<|im_end|>\n|Because.<|im_end|>\n"


TEXTS = st.text(st.characters(exclude_categories=("Cs",)), min_size=1).filter(
    lambda text: text == text.strip() and "<|" not in text and IMAGE_MARK not in text
)


@settings(deadline=None)
@given(st.lists(st.tuples(TEXTS, TEXTS), min_size=1, max_size=2))
def test_any_texts_are_learned_as_they_are(inputs: QwenInputs, turns: list[tuple[str, str]]) -> None:
    lesson = lesson_of(inputs, instance_of("1", "a.png", SHA, turns), CELLS)
    assert learned_text(inputs, lesson) == "|".join(f"{answer}<|im_end|>" for _, answer in turns)


@pytest.mark.parametrize("turns", [1, 2])
def test_what_stands_before_the_last_answer_is_what_the_model_is_asked_with(
    inputs: QwenInputs, tmp_path: Path, turns: int
) -> None:
    (row,) = read_rows([save_course(tmp_path, 1, turns=turns)])
    asked = inputs.of(request_of(row, 10)).ids
    lesson = lesson_of(inputs, row.instance, CELLS)
    assert lesson.ids[: len(asked)] == asked
    answer = f"{ANSWER.format(0)}<|im_end|>"
    assert inputs.spell([label for label in lesson.labels[len(asked) :] if label != IGNORED]) == answer


@pytest.mark.parametrize(
    ("turns", "message"),
    [
        ([("Why?", " Because.")], "answer 1 is empty or begins or ends with blanks"),
        ([("Why?", "yes"), ("How?\n", "So.")], "question 2 is empty or begins"),
        ([("Why?", "Because.<|im_end|>")], "answer 1 holds a control token"),
    ],
)
def test_texts_that_would_shift_tokens_are_refused_by_id(
    inputs: QwenInputs, turns: list[tuple[str, str]], message: str
) -> None:
    with pytest.raises(UsageError, match=f"instance 1: {message}"):
        lesson_of(inputs, instance_of("1", "a.png", SHA, turns), CELLS)


def test_layouts_that_answer_otherwise_than_they_ask_are_refused(tiny: Path) -> None:
    def with_template(template: str) -> QwenInputs:
        made = QwenInputs.load(str(tiny), None, str(tiny), {})
        made.template = template
        return made

    one = instance_of("1", "a.png", SHA, [("Why?", "Because.")])
    plain = with_template("").template or QwenInputs.load(str(tiny), None, str(tiny), {}).template
    thinking = with_template(plain.replace("assistant\n{% endif", "assistant\n<think>\n{% endif"))
    with pytest.raises(UsageError, match="not those the model would be asked with"):
        lesson_of(thinking, one, CELLS)
    endless = with_template(plain.replace("<|im_end|>", ""))
    with pytest.raises(UsageError, match="does not end an answer with"):
        lesson_of(endless, one, CELLS)


def test_rows_know_where_their_images_lie(tmp_path: Path) -> None:
    (row,) = read_rows([save_course(tmp_path, 1)])
    assert isinstance(row, Row)
    assert isinstance(row.instance, Instance)
    assert Path(row.image).is_file()
