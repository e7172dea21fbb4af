import json
from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.report.examples import HOSTILE, picture, store_example, workspace_in


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "200")


def test_everything_that_was_said_is_shown(cli: Cli, tmp_path: Path) -> None:
    stored = store_example(workspace_in(tmp_path))
    outcome = cli("show", "a.png")

    assert (outcome.code, outcome.err) == (0, "")
    parts = ["partial", "ObjectPerceiver  pass 1", "AttributeAnalyzer  chair", "RelationReasoner  chair"]
    parts += ["SceneScanner  scan 1", "AnomalyIntegrator  consolidation 1", "contradiction", stored["run_id"]]
    parts += [
        "10/100",
        "0 = completely implausible",
        "kept",
        "1 3",
        "! RelationReasoner on table",
    ]
    parts += ["2 calls, 1 from the ledger, 200 input tokens (80 cached), 20 output tokens, 0.5000 USD"]
    assert [part for part in parts if part not in outcome.out] == []


def test_hostile_text_is_printed_letter_by_letter(cli: Cli, tmp_path: Path) -> None:
    store_example(workspace_in(tmp_path), said=HOSTILE)
    outcome = cli("show", "a.png")

    assert "[bold red]chair[/] <script>" in outcome.out
    assert "\x1b" not in outcome.out
    assert "\u202e" not in outcome.out


def test_json_has_the_contract_and_every_agent(cli: Cli, tmp_path: Path) -> None:
    stored = store_example(workspace_in(tmp_path))
    outcome = cli("show", "a.png", "--json")

    shown = json.loads(outcome.out)
    assert outcome.out.count("\n") == 1
    assert shown == json.loads(json.dumps({**stored, "usage": stored["usage"].model_dump()}))


def test_image_means_its_newest_analysis_and_run_means_all(cli: Cli, tmp_path: Path) -> None:
    workspace = workspace_in(tmp_path)
    first, second = store_example(workspace), store_example(workspace)

    by_name = cli("show", "a.png", "--json")
    assert json.loads(by_name.out)["id"] == second["id"]
    assert by_name.err == f"the newest of 2 analyses; earlier runs: {first['run_id']}\n"
    assert json.loads(cli("show", first["run_id"], "--json").out)["id"] == first["id"]
    assert json.loads(cli("show", first["sha256"][:10], "--json").out)["id"] == second["id"]
    (tmp_path / "renamed.png").write_bytes(picture())
    assert json.loads(cli("show", "renamed.png", "--json").out)["id"] == second["id"]


def test_unknown_name_says_what_there_is(cli: Cli, tmp_path: Path) -> None:
    store_example(workspace_in(tmp_path), image="chair.png")
    outcome = cli("show", "table.png")

    assert outcome.code == 2
    assert outcome.err.startswith("anomagent: table.png: not analysed yet")
    assert outcome.err.endswith("analysed so far: chair.png\n")


def test_missing_workspace_is_said_and_not_made(cli: Cli, tmp_path: Path) -> None:
    outcome = cli("show", "a.png")

    assert (outcome.code, outcome.err.count("\n")) == (2, 1)
    assert list(tmp_path.iterdir()) == []


def test_page_is_written_instead(cli: Cli, tmp_path: Path) -> None:
    store_example(workspace_in(tmp_path))
    outcome = cli("show", "a.png", "--html", "page.html")

    assert (outcome.code, outcome.out, outcome.err) == (0, "", "wrote page.html\n")
    assert "<!DOCTYPE html>" in (tmp_path / "page.html").read_text("utf-8")


def test_page_that_cannot_be_written_is_refused_first(cli: Cli) -> None:
    outcome = cli("show", "a.png", "--html", "missing/page.html")

    assert outcome.code == 2
    assert "cannot write missing/page.html" in outcome.err
