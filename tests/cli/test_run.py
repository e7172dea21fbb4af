import json
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from anomagent.state.classic_text import parse_anomalies
from tests.cli.conftest import Cli, Outcome
from tests.report.examples import HOSTILE, picture

CHAIR = {"name": "chair", "description": "a red chair"}


def _quadruple(said: str) -> dict[str, Any]:
    return {"name": said, "phenomenon": said, "reasoning": said, "severity": 10, "objects": ["chair"]}


def _script(folder: Path, *rules: dict[str, Any]) -> str:
    (folder / "script.json").write_text(json.dumps({"rules": list(rules)}))
    return "fake:script.json"


def _one_anomaly(folder: Path, said: str = "The chair floats.") -> str:
    """A model that detects one anomaly in the one-call schedule."""
    return _script(folder, {"role": "DirectDetector", "says": [{"reply": {"anomalies": [_quadruple(said)]}}]})


@pytest.fixture(autouse=True)
def _images(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "160")
    (tmp_path / "a.png").write_bytes(picture("red"))
    (tmp_path / "b.png").write_bytes(picture("blue"))


@pytest.fixture
def direct(cli: Cli, tmp_path: Path):
    """`run` with the one-call schedule and a model that says this of every image."""

    def call(*arguments: str, said: str = "The chair floats.") -> Outcome:
        return cli("run", *arguments, "--model", _one_anomaly(tmp_path, said), "--schedule", "direct")

    return call


def test_json_is_the_contract_one_object_a_line(direct: Any) -> None:
    outcome = direct("a.png", "b.png", "--json")

    assert (outcome.code, outcome.err) == (0, "")
    first, second = map(json.loads, outcome.out.splitlines())
    assert list(first) == ["image", "sha256", "status", "schedule", "anomalies", "failures", "usage", "seconds"]
    assert list(first["anomalies"][0]) == ["name", "phenomenon", "reasoning", "severity", "objects", "support"]
    usage = ["calls", "ledger_hits", "input_tokens", "cached_input_tokens", "output_tokens", "usd"]
    assert list(first["usage"]) == usage
    assert (first["image"], second["image"]) == ("a.png", "b.png")
    assert (first["status"], first["schedule"], first["anomalies"][0]["severity"]) == ("ok", "direct", 10)


def test_json_failures_have_their_contract(cli: Cli, tmp_path: Path) -> None:
    refusing = _script(tmp_path, {"says": [{"error": "refused", "text": "not this one"}]})
    outcome = cli("run", "a.png", "--model", refusing, "--schedule", "direct", "--json")

    result = json.loads(outcome.out)
    assert (outcome.code, result["status"], result["anomalies"]) == (3, "failed", [])
    assert result["failures"] == [
        {"role": "DirectDetector", "object": None, "error": "refused", "message": "not this one"}
    ]
    assert outcome.err == "anomagent: a.png: failed: DirectDetector: not this one\n"


def test_second_run_pays_for_nothing(direct: Any) -> None:
    first = json.loads(direct("a.png", "--json").out)
    second = json.loads(direct("a.png", "--json").out)

    assert (first["usage"]["calls"], first["usage"]["ledger_hits"]) == (1, 0)
    assert (second["usage"]["calls"], second["usage"]["ledger_hits"]) == (0, 1)
    assert second["anomalies"] == first["anomalies"]


def test_equal_content_is_analysed_once(direct: Any, tmp_path: Path) -> None:
    (tmp_path / "copy.png").write_bytes(picture("red"))
    first, again = map(json.loads, direct("a.png", "copy.png", "--json").out.splitlines())

    assert (again["image"], again["anomalies"]) == ("copy.png", first["anomalies"])
    assert again["usage"]["calls"] == 0


def test_one_failed_image_does_not_stop_the_others(cli: Cli, tmp_path: Path) -> None:
    good = {"reply": {"anomalies": []}}
    model = _script(tmp_path, {"says": [{"error": "refused"}, good]})
    outcome = cli("run", "a.png", "b.png", "--model", model, "--schedule", "direct", "--json")

    assert outcome.code == 3
    assert [json.loads(line)["status"] for line in outcome.out.splitlines()] == ["failed", "ok"]
    assert outcome.err.count("\n") == 1


def test_partial_analysis_is_printed_with_code_3(cli: Cli, tmp_path: Path) -> None:
    objects = {"reply": {"objects": [CHAIR]}}
    model = _script(
        tmp_path,
        {"role": "ObjectPerceiver", "says": [objects]},
        {"role": "AttributeAnalyzer", "says": [{"error": "refused", "text": "no chairs, please"}]},
    )
    outcome = cli("run", "a.png", "--model", model)

    assert outcome.code == 3
    assert "a.png  partial  paper, 0 anomalies" in outcome.out
    assert "! AttributeAnalyzer on chair: refused: no chairs, please" in outcome.out
    assert "anomagent: a.png: partial: AttributeAnalyzer on chair: no chairs, please\n" in outcome.err


def test_table_states_the_direction_of_severity(direct: Any) -> None:
    outcome = direct("a.png")

    assert outcome.code == 0
    for part in ("a.png  ok  direct, 1 anomaly", "10/100", "The chair floats.", "chair"):
        assert part in outcome.out
    assert "0 = completely implausible, 100 = fully realistic" in outcome.out
    assert outcome.err.splitlines()[0] == "a.png: analysing"
    assert outcome.err.splitlines()[1].startswith("a.png: ok, 1 anomaly, 1 call, 0 from the ledger, ")


def test_no_anomaly_is_ok(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("run", "a.png", "--model", _script(tmp_path))

    assert outcome.code == 0
    assert "No semantic anomaly was found." in outcome.out


def test_text_is_the_classic_form(direct: Any) -> None:
    outcome = direct("a.png", "--text")

    assert outcome.code == 0
    assert outcome.out.startswith("# a.png\n@1. Name: The chair floats.\n- Observed Phenomenon: The chair floats.\n")
    (anomaly,) = parse_anomalies(outcome.out).anomalies
    assert anomaly.severity == 10


def test_hostile_text_is_harmless_in_every_form(direct: Any, tmp_path: Path) -> None:
    table = direct("a.png", said=HOSTILE).out
    assert "[bold" in table
    assert "\x1b" not in table
    assert "\x1b" not in direct("a.png", "--text", said=HOSTILE).out
    assert json.loads(direct("a.png", "--json", said=HOSTILE).out)["anomalies"][0]["name"] == HOSTILE
    direct("a.png", "--html", "page.html", said=HOSTILE)
    assert "<script" not in (tmp_path / "page.html").read_text("utf-8")


def test_page_has_every_image(direct: Any, tmp_path: Path) -> None:
    outcome = direct("a.png", "b.png", "--html", "page.html", "--json")

    page = (tmp_path / "page.html").read_text("utf-8")
    assert outcome.out.count("\n") == 2
    assert page.count("<article>") == 2
    assert page.count("data:image/png;base64,") == 2


def test_every_bad_image_is_a_line_and_nothing_runs(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "words.png").write_text("not an image")
    (tmp_path / "half.png").write_bytes(picture()[:40])
    outcome = cli("run", "a.png", "missing.png", "words.png", "half.png", tmp_path, "--model", _script(tmp_path))

    assert (outcome.code, outcome.out) == (2, "")
    lines = outcome.err.splitlines()
    assert [line.split(": ")[1] for line in lines] == ["missing.png", "words.png", "half.png", str(tmp_path)]
    assert not (tmp_path / "anomagent-workspace").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--json", "--text"], "exclude each other"),
        (["--role", "Painter=fake:x"], "known: ObjectPerceiver, AttributeAnalyzer"),
        (["--role", "ObjectPerceiver"], "write it as ObjectPerceiver=provider:model"),
        (["--html", "missing/page.html"], "cannot write missing/page.html"),
        (["--model", "fake:missing.json"], "missing.json"),
        (["--model", "gpt"], "names no model"),
        (["--concurrency", "0"], "setting 'concurrency'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_use_is_one_line_before_any_work(arguments: list[str], message: str, cli: Cli) -> None:
    outcome = cli("run", "a.png", *arguments)

    assert (outcome.code, outcome.out) == (2, "")
    assert message in outcome.err
    assert outcome.err.count("\n") == 1


@pytest.mark.parametrize("name", ["DirectDetector", "direct_detector"])
def test_role_gets_its_own_model(name: str, cli: Cli, tmp_path: Path) -> None:
    own = _one_anomaly(tmp_path)
    (tmp_path / "silent.json").write_text("{}")
    outcome = cli("run", "a.png", "--model", "fake:silent.json", "--role", f"{name}={own}", "--schedule", "direct")

    assert "1 anomaly" in outcome.out


def test_show_finds_what_run_did(direct: Any, cli: Cli) -> None:
    direct("a.png")
    shown = cli("show", "a.png")

    assert shown.code == 0
    assert "The chair floats." in shown.out
    assert "DirectDetector.detect" in shown.out


def test_interrupted_run_keeps_its_answers_and_resumes(cli: Cli, tmp_path: Path) -> None:
    stuck = tmp_path / "stuck.json"
    stuck.write_text(json.dumps({"rules": [{"delay": 600, "says": [{"reply": {"anomalies": []}}]}]}))
    arguments = ["run", "a.png", "--json", "--model", _script(tmp_path), "--role", "SceneScanner=fake:stuck.json"]
    pipe = subprocess.PIPE
    command = [sys.executable, "-m", "anomagent", *arguments]
    with subprocess.Popen(
        command, cwd=tmp_path, stdout=pipe, stderr=pipe, text=True, preexec_fn=_listen_to_interrupts
    ) as running:
        try:
            _wait_for_answers(tmp_path / "anomagent-workspace", "ObjectPerceiver", 4)
            running.send_signal(signal.SIGINT)
            out, err = running.communicate(timeout=60)
        finally:
            running.kill()
    assert (running.returncode, out) == (130, "")
    assert err == "anomagent: interrupted; finished calls are kept, run the same command again to resume\n"

    stuck.write_text("{}")
    outcome = cli(*arguments)
    assert (outcome.code, json.loads(outcome.out)["status"]) == (0, "ok")
    assert _answers(tmp_path / "anomagent-workspace", "ObjectPerceiver") == 4


def _listen_to_interrupts() -> None:
    """A job that a script started in the background ignores interrupts, and so would what the tests start there."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _answers(workspace: Path, role: str) -> int:
    with closing(sqlite3.connect(workspace / "anomagent.db")) as database:
        return database.execute("SELECT count(*) FROM calls WHERE role = ?", (role,)).fetchone()[0]


def _wait_for_answers(workspace: Path, role: str, number: int) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with suppress(sqlite3.Error):
            if _answers(workspace, role) >= number:
                return
        time.sleep(0.05)
    raise AssertionError(f"{role} gave no {number} answers")
