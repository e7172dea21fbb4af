"""Examples and batches: what the model is given, row by row."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from anomagent.finetune.examples import Collator, Examples, read_rows
from anomagent.finetune.masking import IGNORED
from anomagent.finetune.stopping import TrainingStopped
from anomagent.models.qwen_inputs import Inputs, QwenInputs
from tests.finetune.course import save_course


@pytest.fixture
def examples(inputs: QwenInputs, tmp_path: Path) -> Examples:
    return Examples(read_rows([save_course(tmp_path, 12)]), inputs)


def test_answers_end_in_one_column_and_padding_is_never_learned(examples: Examples, inputs: QwenInputs) -> None:
    short, long = examples[2], examples[11]
    batch = Collator(inputs)([short, long])
    # "11" twice instead of "2" twice: two bytes more; the pictures are equally large.
    assert len(long.labels) - len(short.labels) == 2
    assert batch["input_ids"][0, :2].tolist() == [inputs.padding] * 2
    assert batch["attention_mask"][0].tolist() == [0, 0] + [1] * len(short.labels)
    assert batch["labels"][0].tolist() == [IGNORED, IGNORED, *short.labels]
    assert batch["labels"][1].tolist() == long.labels
    assert batch["rows"].tolist() == [2, 11]
    cells = [row.inputs.ids.count(inputs.image_id) for row in (short, long)]
    assert batch["mm_token_type_ids"].sum(1).tolist() == cells
    assert examples.ids([2, 11]) == ["n2", "n11"]


def test_an_image_that_went_away_is_named(examples: Examples) -> None:
    Path(examples.rows[7].image).unlink()
    with pytest.raises(TrainingStopped, match=r"instance n7: .*there is no such image.*put it back"):
        examples[7]


def test_a_batch_whose_image_tokens_are_not_its_features_never_reaches_the_model(
    examples: Examples, inputs: QwenInputs
) -> None:
    whole = examples[0]
    place = whole.inputs.ids.index(inputs.image_id)
    ids = [*whole.inputs.ids[:place], *whole.inputs.ids[place + 1 :]]
    cut = replace(whole, inputs=Inputs(ids, whole.inputs.image), labels=whole.labels[1:])
    with pytest.raises(ValueError, match=r"image tokens \[15\] do not match the image features \[16\]"):
        Collator(inputs)([cut])
