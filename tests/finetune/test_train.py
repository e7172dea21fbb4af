"""Whole runs on a tiny random model: what they leave behind, what they never touch, and how they end early."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from anomagent.errors import ConfigurationError, UsageError
from anomagent.finetune import train as running
from anomagent.finetune.config import load_config
from anomagent.finetune.examples import Collator, Examples, read_rows
from anomagent.finetune.generation import Generated, request_of
from anomagent.finetune.losses import loss_of
from anomagent.finetune.stopping import TrainingStopped
from anomagent.finetune.train import Trained, train
from anomagent.finetune.trainer import LoraTrainer
from anomagent.models.qwen_engine import QwenEngine, QwenSource
from anomagent.models.qwen_inputs import QwenInputs
from anomagent.models.types import Completion
from tests.finetune.course import course_config, save_course


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("course")
    save_course(folder, 3, name="val", first=50)
    return save_course(folder, 6)


@pytest.fixture(scope="module")
def finished(tiny: Path, course: Path, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A run that went to its end, with pixel bounds of its own and scores of generated answers."""
    run = tmp_path_factory.mktemp("finished") / "run"
    config = course_config(
        tiny,
        course,
        run,
        f"data.eval={course.parent / 'val.jsonl'}",
        "images.min_pixels=12544",
        "images.max_pixels=50176",
        "eval.sample=2",
        "eval.max_new_tokens=5",
        "eval.steps=4",
        "eval.at_start=true",
        "training.gradient_checkpointing=true",
        "training.save_steps=4",
    )

    def score(generated: Sequence[Generated]) -> Mapping[str, float]:
        assert len(generated) == 2
        return {"semf1": 0.25}

    return train(config, score=score)


def weights(run: Path) -> dict[str, Any]:
    from safetensors.torch import load_file

    return load_file(run / "adapter" / "adapter_model.safetensors")


def test_the_run_folder_is_whole(finished: Trained, tiny: Path) -> None:
    assert sorted(path.name for path in finished.run.iterdir()) == [
        "adapter",
        "checkpoint-8",
        "checkpoint-9",
        "config.toml",
        "log.jsonl",
        "run.json",
    ]
    assert sorted(path.name for path in finished.adapter.iterdir()) == [
        "README.md",
        "adapter_config.json",
        "adapter_model.safetensors",
        "preprocessor_config.json",
    ]
    config = load_config(str(finished.run / "config.toml"))
    assert (config.base, config.out) == (str(tiny), finished.run)
    size = json.loads((finished.adapter / "preprocessor_config.json").read_text())["size"]
    assert (size["shortest_edge"], size["longest_edge"]) == (12_544, 50_176)
    record = json.loads((finished.run / "run.json").read_text())
    assert record["lora_modules"][0] == "model.language_model.layers.0.self_attn.q_proj"
    assert (record["instances"], record["images"], record["steps_done"]) == (6, 6, 9)
    assert record["metrics"]["eval_semf1"] == 0.25
    assert list(record["data"]["files"]) == [str(path) for path in (*config.data.train, config.data.eval)]


def test_the_log_has_a_line_for_each_step_and_evaluation(finished: Trained) -> None:
    lines = [json.loads(line) for line in (finished.run / "log.jsonl").read_text().splitlines()]
    assert [line["step"] for line in lines if "loss" in line] == list(range(1, 10))
    assert [line["step"] for line in lines if "eval_loss" in line] == [0, 4, 8, 9]
    assert [line["step"] for line in lines if "eval_semf1" in line] == [0, 4, 8, 9]
    losses = [line["loss"] for line in lines if "loss" in line]
    assert losses[-1] < losses[0]


def test_the_card_says_what_was_done(finished: Trained) -> None:
    card = (finished.adapter / "README.md").read_text()
    for words in ("6 about 6 images", "eval_semf1 | 0.2500", '"min_pixels": 12544', "alpha = 32", "vllm serve"):
        assert words in card


def test_only_the_adapter_learned(finished: Trained, tiny: Path) -> None:
    """Every saved tensor belongs to LoRA, and the second matrix, which begins as zero, no longer is."""
    saved = weights(finished.run)
    assert len(saved) == 2 * 14
    assert all("language_model.layers" in name and "lora_" in name for name in saved)
    assert all(tensor.abs().max() > 0 for name, tensor in saved.items() if "lora_B" in name)


def test_the_reloaded_adapter_answers_token_by_token_as_the_trained_model(
    tiny: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = read_rows([course])[:2]

    def texts(engine: QwenEngine) -> list[str]:
        outcomes = engine.answer([request_of(row, 12) for row in rows], lambda: False)
        return [outcome.text for outcome in outcomes if isinstance(outcome, Completion)]

    answers: list[str] = []
    save = running.save_adapter

    def answer_and_save(prepared: Any, model: Any, run: Path, record: dict[str, Any]) -> None:
        answers.extend(texts(QwenEngine(model.eval(), prepared.inputs)))
        save(prepared, model, run, record)

    monkeypatch.setattr(running, "save_adapter", answer_and_save)
    made = train(course_config(tiny, course, tmp_path / "run", "training.learning_rate=0.05", "training.epochs=6"))
    adapted, plain = (
        texts(QwenEngine.load(QwenSource(str(tiny), adapter=adapter, device="cpu")))
        for adapter in (str(made.adapter), None)
    )
    assert len(answers) == 2
    assert adapted == answers
    assert adapted != plain


def test_a_resumed_run_is_the_uninterrupted_one(
    tiny: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Dropout and order included: the difference is exactly 0."""
    options = ("training.save_steps=2", "lora.dropout=0.5", "training.accumulation=2", "training.epochs=2.5")
    through = train(course_config(tiny, course, tmp_path / "through", *options))
    config = course_config(tiny, course, tmp_path / "cut", *options)
    with monkeypatch.context() as patched:
        _fail_at(patched, 4)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    assert [path.name for path in (tmp_path / "cut").glob("checkpoint-*")] == ["checkpoint-2"]
    with pytest.raises(ConfigurationError, match="holds a run; go on with --resume"):
        train(config)
    resumed = train(config, resume=True)
    first, second = weights(through.run), weights(resumed.run)
    assert all(torch.equal(first[name], second[name]) for name in first)
    logs = [(run / "log.jsonl").read_text().splitlines() for run in (through.run, resumed.run)]
    steps = [[entry["step"] for entry in map(json.loads, log) if "loss" in entry] for log in logs]
    assert steps[0] == steps[1] == list(range(1, through.steps + 1))
    with pytest.raises(ConfigurationError, match="training is finished there"):
        train(config, resume=True)


def _fail_at(patched: pytest.MonkeyPatch, step: int) -> None:
    """Interrupt the run before its update of this number."""
    check = LoraTrainer.assert_finite_gradients

    def checked(self: LoraTrainer) -> None:
        check(self)
        if self.state.global_step == step - 1:
            raise KeyboardInterrupt

    patched.setattr(LoraTrainer, "assert_finite_gradients", checked)


def test_a_run_goes_on_with_its_own_configuration_and_data_only(
    tiny: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    course = save_course(tmp_path, 4)
    config = course_config(tiny, course, tmp_path / "run", "training.save_steps=1")
    with monkeypatch.context() as patched:
        _fail_at(patched, 3)
        with pytest.raises(KeyboardInterrupt):
            train(config)
    other = course_config(tiny, course, tmp_path / "run", "training.save_steps=1", "lora.alpha=1")
    with pytest.raises(ConfigurationError, match="was begun with another configuration"):
        train(other, resume=True)
    save_course(tmp_path, 5)
    with pytest.raises(UsageError, match="the data files changed since the run began"):
        train(config, resume=True)
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "notes.txt").write_text("mine")
    with pytest.raises(ConfigurationError, match="is no folder of a run and not empty"):
        train(course_config(tiny, course, tmp_path / "other"))


def test_a_loss_that_is_no_number_stops_the_run_and_names_the_instances(
    tiny: Path, inputs: QwenInputs, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from anomagent.finetune import trainer as training

    def poisoned(model: Any, batch: dict[str, Any], labels: Any) -> Any:
        total, count = loss_of(model, batch, labels)
        texts = map(inputs.spell, batch["input_ids"].tolist())
        return (total * float("nan") if any("Shade 4" in text for text in texts) else total), count

    monkeypatch.setattr(training, "loss_of", poisoned)
    with pytest.raises(TrainingStopped, match=r"step \d: the loss is not a finite number; .*n4.*kept: nothing"):
        train(course_config(tiny, course, tmp_path / "run"))
    assert not (tmp_path / "run" / "adapter").exists()


def test_a_gradient_that_is_no_number_never_reaches_the_weights(
    tiny: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    check = LoraTrainer.assert_finite_gradients

    def poisoned(self: LoraTrainer) -> None:
        if self.state.global_step == 1:
            parameter = next(p for p in self.adapted.parameters() if p.requires_grad)
            parameter.grad[0, 0] = float("inf")
        check(self)

    monkeypatch.setattr(LoraTrainer, "assert_finite_gradients", poisoned)
    with pytest.raises(TrainingStopped, match=r"step 2: the gradient of .*lora_A.* not finite; instances: n\d, n\d;"):
        train(course_config(tiny, course, tmp_path / "run"))


def test_a_disk_that_fills_keeps_the_checkpoints_before(
    tiny: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    save = LoraTrainer._save_rng_state

    def full(self: LoraTrainer, folder: str) -> None:
        if self.state.global_step == 4:
            raise OSError(28, "No space left on device")
        save(self, folder)

    config = course_config(tiny, course, tmp_path / "run", "training.save_steps=2")
    with monkeypatch.context() as patched:
        patched.setattr(LoraTrainer, "_save_rng_state", full)
        with pytest.raises(TrainingStopped, match=r"checkpoint 4 cannot be saved .*No space left.*kept: checkpoint-2;"):
            train(config)
    assert sorted(p.name for p in (tmp_path / "run").iterdir()) == [
        "checkpoint-2",
        "config.toml",
        "log.jsonl",
        "run.json",
    ]

    def full_later(self: Any, folder: Any, *_: Any, **__: Any) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("transformers.Qwen2VLImageProcessorPil.save_pretrained", full_later)
        with pytest.raises(TrainingStopped, match=r"the adapter cannot be saved .*kept: checkpoint-9"):
            train(config, resume=True)
    assert not list((tmp_path / "run").glob("*adapter*"))
    assert train(config, resume=True).steps == 9


def test_too_little_room_is_said_before(
    tiny: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from collections import namedtuple

    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr("shutil.disk_usage", lambda path: usage(1, 1, 10_000))
    with pytest.raises(ConfigurationError, match="has 0 MB free; make room or choose another --out"):
        train(course_config(tiny, course, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("weighting", [False, True])
def test_what_an_update_averages(
    tiny: Path, inputs: QwenInputs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, weighting: bool
) -> None:
    """The recipe's mean of the passes' means, or the mean over all tokens: here of passes of 1 instance each."""
    course = save_course(tmp_path, 3, turns=2)
    lines = course.read_text().splitlines()
    shorter = json.loads(lines[0])
    shorter["conversations"] = shorter["conversations"][:2]
    course.write_text("\n".join([json.dumps(shorter), *lines[1:]]) + "\n")
    seen: list[dict[str, Any]] = []

    def look(self: LoraTrainer) -> None:
        seen.append({n: p.grad.clone() for n, p in self.adapted.named_parameters() if p.grad is not None})

    monkeypatch.setattr(LoraTrainer, "assert_finite_gradients", look)
    options = ["training.batch=1", "training.accumulation=3", "lora.dropout=0", "training.steps=1"]
    options += ["training.max_grad_norm=1e9", f"training.token_weighting={str(weighting).lower()}"]
    config = course_config(tiny, course, tmp_path / "run", *options)
    train(config)
    prepared = running.prepare(config)
    model, _ = running.build(prepared)
    examples = Examples(prepared.train, inputs)
    sums: list[tuple[Any, Any]] = []
    for number in range(3):
        batch = Collator(inputs)([examples[number]])
        del batch["rows"]
        sums.append(loss_of(model, batch, batch.pop("labels")))
    loss = sum(total for total, _ in sums) / sum(count for _, count in sums)
    if not weighting:
        loss = sum(total / count for total, count in sums) / 3
    loss.backward()
    # The norm's clipping multiplies by at most 1.
    for name, parameter in model.named_parameters():
        if parameter.grad is not None:
            torch.testing.assert_close(seen[0][name], parameter.grad, rtol=1e-4, atol=1e-7)


def test_a_vision_tower_that_changed_is_found_out(
    tiny: Path, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def meddle(self: LoraTrainer) -> None:
        name = "base_model.model.model.visual.blocks.0.norm1.weight"
        with torch.no_grad():
            dict(self.adapted.named_parameters())[name][0] += 1e-3

    monkeypatch.setattr(LoraTrainer, "assert_finite_gradients", meddle)
    with pytest.raises(TrainingStopped, match="the vision tower changed although it is frozen"):
        train(course_config(tiny, course, tmp_path / "run", "training.steps=1"))
    assert not (tmp_path / "run" / "adapter").exists()


def test_bf16_trains_on_a_processor_too(tiny: Path, course: Path, tmp_path: Path) -> None:
    made = train(course_config(tiny, course, tmp_path / "run", "training.precision=bf16", "training.epochs=1"))
    assert all(tensor.dtype == torch.float32 for tensor in weights(made.run).values())
