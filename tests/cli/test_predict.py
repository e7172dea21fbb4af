import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from anomagent.prediction.presets import read_presets
from anomagent.state.classic_text import NO_ANOMALIES
from tests.cli.conftest import Cli, Outcome
from tests.cli.scored import refused, write
from tests.prediction.shelf import BAD_LIST, LISTED
from tests.report.examples import picture
from tests.test_core_install import ANALYSE

Predict = Callable[..., Outcome]


@pytest.fixture
def predict(cli: Cli, tmp_path: Path) -> Predict:
    """`predict` over a folder of three images, with a model that lists two anomalies, then says what it is told."""
    Path("images").mkdir()
    for name, colour in (("1.png", "red"), ("2.png", "blue"), ("3.png", "green")):
        Path("images", name).write_bytes(picture(colour))

    def call(*arguments: Any, says: tuple[str, ...] = (LISTED,), paths: tuple[str, ...] = ("images",)) -> Outcome:
        rules = [
            {"role": "DeepfakeDetector", "step": "decide", "says": [{"text": "Yes."}]},
            {"says": [{"text": text} for text in says]},
        ]
        write("script.json", {"rules": rules})
        model = () if "--preset" in arguments else ("--model", "fake:script.json")
        return cli("predict", *paths, *model, "--concurrency", "1", *arguments)

    return call


def records(file: str = "out.jsonl") -> list[dict[str, Any]]:
    return [json.loads(line) for line in Path(file).read_text().splitlines()]


def test_the_file_and_the_summary(predict: Predict) -> None:
    outcome = predict("--out", "out.jsonl")
    assert (outcome.code, outcome.err) == (0, "")
    first, _, third = outcome.out.splitlines()
    assert first.startswith("3 of 3 images done: 3 ok, 0 left in ")
    assert third == "out.jsonl: 3 images, 6 anomalies, 0 without any, 0 partial, 0 failed"
    assert [record["image"] for record in records()] == ["images/1.png", "images/2.png", "images/3.png"]
    assert [anomaly["severity"] for anomaly in records()[0]["anomalies"]] == [10, 20]


def test_json_is_one_object(predict: Predict) -> None:
    outcome = predict("--out", "out.json", "--json", says=(LISTED, BAD_LIST, "A chair."))
    assert (outcome.code, outcome.out.count("\n")) == (3, 1)
    summary = json.loads(outcome.out)
    counted = {"images": 3, "anomalies": 3, "empty": 0, "partial": 1, "failures": 1, "verdicts": {}}
    assert (summary["out"], summary["file"]) == ("out.json", counted)
    assert (summary["ok"], summary["partial"], summary["failed"], summary["stopped"]) == (1, 1, 1, None)
    assert len(json.loads(Path("out.json").read_text())) == 3
    assert "--retry-failed tries again" in outcome.err


def test_deepfake_counts_verdicts(predict: Predict) -> None:
    outcome = predict("--out", "out.jsonl", "--task", "deepfake")
    assert outcome.out.splitlines()[-1] == "AI-generated: 3 yes"
    assert {(record["answer"], record["verdict"], record["p_yes"]) for record in records()} == {("Yes.", "yes", None)}


def test_evaluate_reads_predictions_as_they_are(predict: Predict) -> None:
    from anomagent.benchmark.labels import read_labels
    from anomagent.benchmark.reading import read_annotations
    from anomagent.evaluation.deepfake import read_answers, read_verdicts

    write("labels.json", {"1.png": 1, "2.png": 1, "3.png": 1})
    predict("--out", "out.jsonl", "--task", "deepfake", says=(LISTED, NO_ANOMALIES, LISTED))
    predicted = read_answers(Path("out.jsonl"))
    verdicts = read_verdicts(predicted, predicted, read_labels(Path("labels.json")))
    assert set(verdicts.given.values()) == {"yes"}
    assert sorted(len(image.anomalies) for image in read_annotations(Path("out.jsonl")).images.values()) == [0, 2, 2]


def test_the_same_again_asks_nothing_and_writes_the_same(predict: Predict) -> None:
    predict("--out", "out.jsonl")
    before = Path("out.jsonl").read_bytes()
    outcome = predict("--out", "out.jsonl", "--json")
    assert json.loads(outcome.out)["already_done"] == 3
    assert Path("out.jsonl").read_bytes() == before


def test_a_part_of_a_split(predict: Predict) -> None:
    split = write("split.json", {"train": ["1.png"], "test": ["3.png", "lost.png"]})
    outcome = predict("--out", "out.jsonl", "--split", split)
    assert [record["image"] for record in records()] == ["images/3.png"]
    assert outcome.err == ("anomagent: 1 names of part test of split.json have no image here, such as 'lost.png'\n")
    predict("--out", "out.jsonl", "--split", split, "--part", "train")
    assert [record["image"] for record in records()] == ["images/1.png"]


def test_what_a_manifest_says_is_in_the_file(predict: Predict) -> None:
    Path("list.csv").write_text("image,generator\nimages/1.png,painter\n")
    predict("--out", "out.jsonl", paths=("list.csv",))
    (record,) = records()
    assert (record["image"], record["generator"]) == ("images/1.png", "painter")


def test_a_missing_and_a_corrupt_image_beside_others(predict: Predict) -> None:
    Path("images/2.png").write_text("no image")
    outcome = predict("--out", "out.jsonl", paths=("images", "images/lost.png"))
    assert outcome.code == 3
    assert [("failure" in record) for record in records()] == [False, True, False, True]
    assert "2 files could not be read" in outcome.err


def test_of_many_failures_the_first_are_told(predict: Predict) -> None:
    for number in range(30):
        Path("images", f"broken{number:02}.png").write_text("no image")
    told = predict("--out", "out.jsonl").err.splitlines()
    assert sum("not a readable image" in line for line in told) == 20
    assert sum("further failures are counted only" in line for line in told) == 1
    assert sum("failure" in record for record in records()) == 30


def test_a_dry_run_spends_nothing(predict: Predict) -> None:
    outcome = predict("--dry-run", "--json")
    assert (outcome.code, json.loads(outcome.out)["images"]) == (0, 3)
    assert predict("--dry-run").out.startswith("images: 3 (0 known)\ncalls: 3\n")
    assert not Path("anomagent-workspace").exists()


def test_presets_are_listed_and_shown(cli: Cli) -> None:
    lines = cli("predict", "--presets").out.splitlines()
    assert [line.split()[0] for line in lines] == list(read_presets())
    assert len(json.loads(cli("predict", "--presets", "--json").out)) == len(lines)
    shown = cli("predict", "--preset", "qwen2.5-vl-7b", "--show").out.splitlines()
    assert [line for line in shown if not line.startswith("#")] == [
        "vllm serve Qwen/Qwen2.5-VL-7B-Instruct --max-model-len 16384 --limit-mm-per-prompt '{\"image\":1}'"
        ' --mm-processor-kwargs \'{"min_pixels":50176,"max_pixels":614656}\'',
        "anomagent predict IMAGES --preset qwen2.5-vl-7b --out qwen2.5-vl-7b.jsonl",
    ]
    assert "export OPENAI_API_KEY=..." in cli("predict", "--preset", "gpt-4o", "--show").out


def test_a_preset_is_a_model_at_an_address(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    from anomagent.cli import predict as module

    seen: list[Any] = []
    monkeypatch.setattr(module, "_print_estimate", lambda settings, question, *_: seen.append((settings, question)))
    predict("--preset", "Qwen2.5-VL-7B", "--dry-run", "--base-url", "http://one/v1", "--base-url", "http://two/v1")
    predict("--preset", "gpt-5", "--dry-run", "--task", "deepfake")
    (qwen, asks), (gpt, silent) = seen
    assert (qwen.model, qwen.base_url, qwen.more_base_urls) == (
        "openai:Qwen/Qwen2.5-VL-7B-Instruct",
        "http://one/v1",
        ["http://two/v1"],
    )
    assert (qwen.image_max_pixels, qwen.temperature, asks.odds) == (614_656, 0, True)
    assert (gpt.model, gpt.base_url, gpt.max_tokens, gpt.temperature) == ("openai:gpt-5", None, 8_192, None)
    assert (silent.task, silent.odds) == ("deepfake", False)


def test_json_for_an_adapter_is_only_noted(predict: Predict) -> None:
    outcome = predict("--out", "out.jsonl", "--form", "json", "--adapter", "somewhere")
    assert outcome.code == 0
    assert "usually trained on the classic form" in outcome.err


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "no --out"),
        (["--out", "missing/out.jsonl"], "cannot write missing/out.jsonl"),
        (["--out", "o.json", "--task", "deepfake", "--form", "json"], "--form json belongs to --task anomalies"),
        (["--out", "o.json", "--preset", "gpt4o"], "no preset 'gpt4o'; did you mean gpt-4o?"),
        (["--out", "o.json", "--preset", "gpt-4o", "--model", "fake:x"], "exclude each other"),
        (["--out", "o.json", "--split", "lost.json"], "lost.json: no such file"),
        (["--out", "o.json", "--concurrency", "0"], "setting 'concurrency'"),
        (["--out", "o.json", "--part", "train"], "--part train needs --split FILE"),
        (["--out", "o.json", "--preset", "gpt-4o", "--adapter", "x"], "belongs to a model in this process"),
        (["--show"], "--show needs --preset NAME"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line_before_any_work(arguments: list[str], message: str, predict: Predict) -> None:
    assert message in refused(predict(*arguments))
    assert not Path("anomagent-workspace").exists()


def test_a_refused_parameter_is_wrong_use(predict: Predict, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ANOMAGENT_TEMPERATURE", "0.3")
    assert "gpt-5 refuses a temperature" in refused(predict("--preset", "gpt-5", "--out", "o.json"))


def test_no_path_is_wrong_use(cli: Cli) -> None:
    assert "no PATH" in refused(cli("predict", "--out", "o.json"))


def test_it_needs_no_extra(predict: Predict, tmp_path: Path) -> None:
    predict("--dry-run")  # writes the script
    command = ["predict", "images", "--model", "fake:script.json", "--task", "deepfake", "--out", "out.jsonl"]
    for more in ([], ["--dry-run"]):
        done = subprocess.run(
            [sys.executable, "-c", ANALYSE, *command, *more], cwd=tmp_path, capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
    assert len(records()) == 3
