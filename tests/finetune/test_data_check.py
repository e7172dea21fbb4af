"""Whatever is wrong with the data is found before training, and named by its instance."""

from __future__ import annotations

from pathlib import Path

import pytest

from anomagent.errors import UsageError
from anomagent.finetune.data_check import Limits, Measured, all_measured, measure_rows, refuse_leakage
from anomagent.finetune.examples import Examples, Row, read_rows
from anomagent.models.qwen_inputs import QwenInputs
from tests.finetune.course import save_course


@pytest.fixture
def rows(tmp_path: Path) -> list[Row]:
    return read_rows([save_course(tmp_path, 4)])


def test_measures_are_those_of_the_examples(rows: list[Row], inputs: QwenInputs) -> None:
    told: list[tuple[int, int]] = []
    measured = all_measured(rows, measure_rows(rows, inputs, Limits(4096), lambda *done: told.append(done)))
    examples = Examples(rows, inputs)
    for number, one in enumerate(measured):
        example = examples[number]
        assert one.tokens == len(example.labels)
        assert one.cells == example.inputs.ids.count(inputs.image_id)
        assert one.learned == sum(label >= 0 for label in example.labels)
    assert (measured[1].width, measured[1].height) == (140, 112)
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_nothing_is_truncated(rows: list[Row], inputs: QwenInputs) -> None:
    longest = max(m.tokens for m in measure_rows(rows, inputs, Limits(4096)) if isinstance(m, Measured))
    all_measured(rows, measure_rows(rows, inputs, Limits(longest)))
    with pytest.raises(
        UsageError, match=rf"train.jsonl: instance n\d takes {longest} tokens, \d+ of them for the image"
    ):
        all_measured(rows, measure_rows(rows, inputs, Limits(longest - 1)))


def test_a_missing_image_is_named(rows: list[Row], inputs: QwenInputs) -> None:
    Path(rows[2].image).unlink()
    with pytest.raises(UsageError, match=r"instance n2: .*2\.png: there is no such image"):
        all_measured(rows, measure_rows(rows, inputs, Limits(4096)))


def test_an_image_of_other_content_is_named(rows: list[Row], inputs: QwenInputs) -> None:
    Path(rows[1].image).write_bytes(Path(rows[0].image).read_bytes())
    with pytest.raises(UsageError, match=r"instance n1: .* holds another image than the instance was made for"):
        all_measured(rows, measure_rows(rows, inputs, Limits(4096)))


def test_a_corrupt_image_is_named_and_the_others_counted(tmp_path: Path, inputs: QwenInputs) -> None:
    import hashlib

    rows: list[Row] = []
    for row in read_rows([save_course(tmp_path, 3)]):
        path = Path(row.image)
        path.write_bytes(path.read_bytes()[:60])
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        rows.append(Row(row.instance.model_copy(update={"sha256": digest}), row.image, row.file))
    with pytest.raises(UsageError, match=r"instance n0: .*not a readable image .*and 2 more of 3 instances"):
        all_measured(rows, measure_rows(rows, inputs, Limits(4096)))


def test_images_of_the_training_data_are_no_evaluation_data(tmp_path: Path) -> None:
    train, held_out = save_course(tmp_path, 3), save_course(tmp_path, 2, name="val", first=2)
    with pytest.raises(UsageError, match=r"1 of its instances are about images of data\.train, such as n2"):
        refuse_leakage(read_rows([train]), read_rows([held_out]))
    refuse_leakage(read_rows([train]), [])
