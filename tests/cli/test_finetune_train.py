"""`anomagent finetune train`, as it is typed: what it prints, and one line for whatever cannot work."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from anomagent.cli.finetune_scores import judge
from anomagent.finetune.generation import Generated
from anomagent.finetune.instances import instance_of
from anomagent.finetune.stopping import TrainingStopped
from tests.cli.conftest import Cli
from tests.finetune.course import ANSWER, save_course


@pytest.fixture
def course(tmp_path: Path) -> Path:
    return save_course(tmp_path / "data", 4)


def test_the_embedded_recipe_trains_on_a_processor(cli: Cli, course: Path, tmp_path: Path) -> None:
    done = cli("finetune", "train", "embedded", "--set", f"data.train={course}", "--out", tmp_path / "run")
    assert done.code == 0
    assert done.out.startswith(f"{tmp_path}/run/adapter: 3 steps, loss ")
    assert "step 1 of 3: loss" in done.err
    assert f"--model embedded --adapter {tmp_path}/run/adapter" in done.err
    assert (tmp_path / "run" / "adapter" / "adapter_model.safetensors").is_file()
    again = cli("finetune", "train", tmp_path / "run" / "config.toml")
    assert (again.code, again.out) == (2, "")
    assert again.err.count("\n") == 1
    assert "training is finished there" in again.err


def test_a_dry_run_for_people_and_for_scripts(cli: Cli, course: Path) -> None:
    words = ("finetune", "train", "embedded", "--set", f"data.train={course}", "--dry-run")
    save_course(course.parent, 1)
    told = cli(*words)
    assert told.code == 0
    assert "trained: 325,632 of 5,009,120 parameters" in told.out
    assert f"<|im_start|>assistant\n⟦{ANSWER.format(0)}<|im_end|>⟧" in told.out
    figures = json.loads(cli(*words, "--meta", "--json").out)
    assert figures["trainable_parameters"] == 325_632
    assert figures["weights"] is False
    assert figures["longest_batch"][0]["id"].startswith("n")


def test_recipes_are_listed(cli: Cli) -> None:
    assert "anomreasonor-7b\n" in cli("finetune", "train", "--list").out


def test_what_cannot_work_is_one_line(cli: Cli, course: Path, tmp_path: Path) -> None:
    data = ("--set", f"data.train={course}")
    run = ("--out", str(tmp_path / "run"))
    bert = tmp_path / "bert"
    bert.mkdir()
    (bert / "config.json").write_text('{"model_type": "bert"}')
    cases: list[tuple[tuple[str, ...], str]] = [
        ((), "no CONFIG given; a TOML file, or one of anomreasonor-7b"),
        (("embeded", *data, *run), "did you mean embedded?"),
        (("embedded", *data, *run, "--set", "lora.dropuot=0"), "unknown key lora.dropuot; did you mean dropout?"),
        (("embedded", *data), "out is missing: say where the run goes, with --out RUN"),
        (("embedded", *data, *run, "--meta"), "--meta goes with --dry-run"),
        (("embedded", "--set", "data.train=none.jsonl", *run), "none.jsonl: cannot be read"),
        (("embedded", *data, *run, "--set", f"data.eval={course}"), "are about images of data.train"),
        (("embedded", *data, *run, "--set", "base=./nowhere"), "base ./nowhere: there is no such directory"),
        (("embedded", *data, *run, "--set", f"base={bert}"), "this is a model of type bert; known are"),
        (("embedded", *data, *run, "--set", "lora.offset=6"), "check lora.offset and projections"),
        (("embedded", *data, *run, "--set", "data.max_tokens=9999"), "the base model holds 4096 tokens"),
        (("embedded", *data, *run, "--set", "data.max_tokens=100"), "nothing is truncated"),
        (("embedded", *data, *run, "--set", "quantise=nf4"), "pip install bitsandbytes"),
        (("embedded", *data, *run, "--set", "eval.sample=3"), "eval.sample needs instances to answer"),
        (("embedded", *data, "--out", str(course)), "is no folder of a run and not empty"),
    ]
    for words, message in cases:
        done = cli("finetune", "train", *words)
        assert (done.code, done.out) == (2, ""), (words, done)
        assert message in done.err, (words, done.err)
        assert done.err.count("\n") == 1, (words, done.err)
    assert not (tmp_path / "run").exists()


def test_a_directory_without_weights_is_good_for_a_dry_run_alone(cli: Cli, course: Path, tmp_path: Path) -> None:
    from anomagent.models.embedded import DIRECTORY

    base = tmp_path / "base"
    shutil.copytree(DIRECTORY, base, ignore=shutil.ignore_patterns("*.safetensors"))
    words = ("finetune", "train", "embedded", "--set", f"base={base}", "--set", f"data.train={course}")
    refused = cli(*words, "--out", tmp_path / "run")
    assert refused.code == 2
    assert "holds no weights (*.safetensors); only --dry-run works with it" in refused.err
    dry = cli(*words, "--dry-run")
    assert dry.code == 0
    assert "time: unknown" in dry.out


def test_a_run_that_stops_early_ends_with_its_own_code(
    cli: Cli, course: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stopped(*_: object, **__: object) -> None:
        raise TrainingStopped("step 1: no")

    monkeypatch.setattr("anomagent.finetune.train.train", stopped)
    done = cli("finetune", "train", "embedded", "--set", f"data.train={course}", "--out", tmp_path / "run")
    assert (done.code, done.err) == (3, "anomagent: step 1: no\n")


class Alike:
    """Finds every two sentences 0.85 alike: matches at thresholds 0.7 and 0.8, not at 0.9."""

    def similarities(self, pairs: object) -> object:
        import numpy as np

        from anomagent.evaluation.pairs import Pair, Similarity

        for pair in pairs:  # type: ignore[attr-defined]
            assert isinstance(pair, Pair)
            values = np.full((len(pair.predictions), len(pair.ground_truth)), 0.85)
            yield Similarity(values, values)


def test_generated_answers_are_judged_by_the_evaluator() -> None:
    def said(answer: str, text: str | None) -> Generated:
        return Generated(instance_of("1", "a.png", "a" * 64, [("Why?", answer)]), text)

    one, none = ANSWER.format(1), "No semantic anomalies."
    found = judge([said(one, one), said(one, none), said(one, None), said(none, none)], Alike())  # type: ignore[arg-type]
    # The first image: F1 1, 1, 0 over the thresholds; the next two 0; the last is left out. One answer did not end.
    assert found["semf1"] == pytest.approx(2 / 9)
    assert found["unreadable"] == 0.25
    assert judge([said(none, none)], Alike()) == {"unreadable": 0.0}  # type: ignore[arg-type]
