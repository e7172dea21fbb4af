import json
from pathlib import Path
from typing import Any

import pytest

from anomagent.graph.analyze import Analyzer
from tests.cli.conftest import Cli, Outcome
from tests.report.examples import picture


def _script(name: str = "script.json", *rules: dict[str, Any]) -> str:
    Path(name).write_text(json.dumps({"rules": list(rules)}))
    return f"fake:{name}"


@pytest.fixture
def batch(cli: Cli, tmp_path: Path) -> Cli:
    """`batch` over two folders with one image each, in the one-call schedule, with a model that finds nothing."""
    for name, colour in (("a/1.png", "red"), ("b/1.png", "blue")):
        Path(name).parent.mkdir()
        Path(name).write_bytes(picture(colour))

    def call(*arguments: Any) -> Outcome:
        return cli("batch", *arguments, "--model", _script(), "--schedule", "direct")

    return call


def test_json_is_one_object_at_the_end(batch: Cli) -> None:
    outcome = batch("a", "b", "--json")
    assert (outcome.code, outcome.err, outcome.out.count("\n")) == (0, "", 1)
    summary = json.loads(outcome.out)
    numbers = {
        "images": 2,
        "done": 2,
        "ok": 2,
        "partial": 0,
        "failed": 0,
        "already_done": 0,
        "duplicates": 0,
        "left": 0,
    }
    assert summary.items() >= {**numbers, "failed_earlier": 0, "stopped": None, "failures": []}.items()
    assert summary.keys() - numbers == {
        *("run", "configuration", "usage", "seconds"),
        *("failed_earlier", "not_meant", "spent_usd", "stopped", "failures"),
    }
    assert summary["usage"]["calls"] == 2


def test_people_get_a_summary_and_the_way_to_the_results(batch: Cli, cli: Cli) -> None:
    outcome = batch("a", "b")
    assert outcome.out.startswith("2 of 2 images done: 2 ok, 0 left in ")
    run = outcome.out.splitlines()[-1].removeprefix("run ")
    assert "b/1.png" in cli("show", run).out


def test_results_are_what_run_prints(batch: Cli, cli: Cli) -> None:
    batch("a", "b", "--results", "results.jsonl")
    lines = {entry["image"]: entry for entry in map(json.loads, Path("results.jsonl").read_text().splitlines())}
    printed = json.loads(cli("run", "a/1.png", "--json", "--model", "fake:script.json", "--schedule", "direct").out)
    assert lines.keys() == {"a/1.png", "b/1.png"}
    same = printed.keys() - {"usage", "seconds"}
    assert list(lines["a/1.png"]) == [*printed, "configuration"]
    assert {key: lines["a/1.png"][key] for key in same} == {key: printed[key] for key in same}


def test_failures_are_told_and_the_exit_code_is_3(batch: Cli) -> None:
    Path("a/2.png").write_text("no image")
    outcome = batch("a", "b", "--json")
    assert (outcome.code, json.loads(outcome.out)["failed"]) == (3, 1)
    told, advice = outcome.err.splitlines()
    assert told.startswith("anomagent: a/2.png: failed: batch: not a readable image")
    assert advice == "anomagent: 1 file could not be read; mend them and run again"


def test_failures_are_retried_on_request(batch: Cli, cli: Cli) -> None:
    refusing = _script("refusing.json", {"says": [{"error": "refused"}, {"reply": {"anomalies": []}}]})
    arguments = ["batch", "a", "--json", "--model", refusing, "--schedule", "direct"]
    assert "--retry-failed tries again what failed or is partial" in cli(*arguments).err
    left = cli(*arguments)
    assert (left.code, json.loads(left.out)["failed_earlier"]) == (3, 1)
    assert left.err == "anomagent: 1 image failed or partial before and left alone; --retry-failed tries again\n"
    # A script begins anew with each command: refused again.
    assert json.loads(cli(*arguments, "--retry-failed").out)["failed"] == 1


def test_a_changed_configuration_is_a_choice(batch: Cli, cli: Cli) -> None:
    batch("a")
    changed = ["batch", "a", "b", "--json", "--model", "fake:script.json", "--schedule", "lean"]
    refused = cli(*changed)
    assert (refused.code, refused.out, refused.err.count("\n")) == (2, "", 1)
    assert "schedule: direct -> lean" in refused.err
    kept = json.loads(cli(*changed, "--retry").out)
    assert (kept["ok"], kept["already_done"]) == (1, 1)
    assert json.loads(cli(*changed, "--new-run").out)["ok"] == 1


def test_a_fault_of_ours_shows_its_trace_and_costs_one_image(batch: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    analyze = Analyzer.analyze

    async def fail(self: Analyzer, path: str) -> Any:
        if path == "a/1.png":
            raise ZeroDivisionError("a bug")
        return await analyze(self, path)

    monkeypatch.setattr(Analyzer, "analyze", fail)
    outcome = batch("a", "b", "--json")
    summary = json.loads(outcome.out)
    assert (outcome.code, summary["ok"], summary["failed"]) == (1, 1, 1)
    assert summary["failures"] == [{"image": "a/1.png", "error": "internal", "message": "ZeroDivisionError: a bug"}]
    assert "Traceback" in outcome.err
    assert outcome.err.endswith("ZeroDivisionError: a bug\n")


def test_a_budget_ends_it(batch: Cli) -> None:
    Path("prices.toml").write_text('[models]\n"fake:script.json" = {input = 1000, output = 0}\n')
    Path("anomagent.toml").write_text('prices = "prices.toml"\n')
    outcome = batch("a", "b", "--json", "--budget-usd", "0.01")
    assert (outcome.code, json.loads(outcome.out)["stopped"], json.loads(outcome.out)["left"]) == (3, "budget", 2)
    assert "the budget ended the batch" in outcome.err


def test_a_dry_run_spends_nothing(batch: Cli) -> None:
    outcome = batch("a", "b", "--dry-run", "--json")
    assert outcome.code == 0
    assert isinstance(json.loads(outcome.out), dict)
    assert not Path("anomagent-workspace").exists()
    assert batch("a", "b", "--dry-run").out


def test_a_dry_run_means_what_the_batch_would(batch: Cli) -> None:
    batch("a")
    counts = {}
    for mode in ("--retry-failed", "--retry"):
        found = json.loads(batch("a", "b", "--dry-run", "--json", mode).out)
        counts[mode] = (found["images"], found["finished"], found["left_alone"])
    assert counts == {"--retry-failed": (0, 1, 1), "--retry": (1, 1, 0)}


def test_a_limit_takes_the_first(batch: Cli) -> None:
    assert json.loads(batch("a", "b", "--json", "--limit", "1").out)["images"] == 1


def test_several_servers_are_one_and_further_ones(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    from anomagent.cli import batch as module

    Path("a.png").write_bytes(picture())
    seen: list[Any] = []

    def keep(settings: Any, *_: Any) -> None:
        seen.append((settings.base_url, settings.more_base_urls))

    monkeypatch.setattr(module, "_print_estimate", keep)
    cli("batch", "a.png", "--dry-run", "--base-url", "http://one/v1", "--base-url", "http://two/v1")
    assert seen == [("http://one/v1", ["http://two/v1"])]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["lost"], "lost: no such file or folder"),
        (["lost.png"], "lost.png: no such file; check the paths"),
        (["https://host/a.png"], "is a URL"),
        (["a", "--retry", "--new-run"], "--retry and --new-run exclude each other"),
        (["a", "--retry-failed", "--retry"], "--retry-failed and --retry exclude each other"),
        (["a", "--results", "missing/results.jsonl"], "cannot write missing/results.jsonl"),
        (["a", "--results", "other.txt"], "other.txt: line 1: is no result"),
        (["a", "--concurrency", "0"], "setting 'concurrency'"),
        (["a", "--budget-usd", "0"], "setting 'budget_usd'"),
        (["a", "--limit", "0"], "--limit"),
        (["a", "--role", "SceneScanner"], "write it as SceneScanner=provider:model"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line_before_any_work(arguments: list[str], message: str, batch: Cli) -> None:
    Path("other.txt").write_text("hello\n")
    outcome = batch(*arguments)
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
    assert message in outcome.err
    assert not Path("anomagent-workspace").exists()


def test_an_unusable_model_is_an_error_before_any_work(batch: Cli, cli: Cli) -> None:
    outcome = cli("batch", "a", "--model", "gpt")
    assert (outcome.code, outcome.out, outcome.err.count("\n")) == (2, "", 1)
