import io

import pytest
from rich.console import Console

from anomagent.cli.board import Board
from anomagent.cli.progress import LineProgress, LiveProgress, draw_board
from anomagent.models.seam import Event, EventKind
from anomagent.state.findings import Analysis, Status, UsageTotals


def _event(kind: EventKind, key: str, role: str, step: str, about: str | None = None, detail: str = "") -> Event:
    return Event(kind, key, role, step, about, 0, detail)


def _analysis(status: Status) -> Analysis:
    failure = {"role": "RelationReasoner", "object": "chair", "error": "refused", "message": "it\ndeclined"}
    failures = [] if status == "ok" else [failure, failure]
    return Analysis.model_validate(
        {
            "image": "a.png",
            "sha256": "ab",
            "status": status,
            "schedule": "paper",
            "anomalies": [],
            "failures": failures,
            "usage": UsageTotals(calls=3, ledger_hits=2),
            "seconds": 1.25,
        }
    )


def _drawn(board: Board) -> str:
    console = Console(file=io.StringIO(), width=160, highlight=False)
    console.print(draw_board(board, "a\x1b[31m.png", 2.0, steps=2))
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_board_has_a_row_for_each_step_and_each_object() -> None:
    board = Board()
    for event in (
        _event("answered", "p", "ObjectPerceiver", "list"),
        _event("sent", "s", "SceneScanner", "scan"),
        _event("answered", "1", "AttributeAnalyzer", "examine", "[bold]chair"),
        _event("answered", "2", "AttributeAnalyzer", "list", "[bold]chair"),
        _event("sent", "3", "RelationReasoner", "judge", "[bold]chair"),
        _event("failed", "4", "AttributeAnalyzer", "examine", "lamp", "refused"),
    ):
        board.add(event)
    drawn = _drawn(board)

    rows = {line.split("  ")[0].strip(): line for line in drawn.splitlines()}
    assert "✓ 1/1" in rows["ObjectPerceiver.list"]
    assert "0/1" in rows["SceneScanner.scan"]
    assert "✓ 2/2 ▸ ◐ 0/2 ▸ ·" in rows["[bold]chair"]
    assert "✗ refused ▸ · ▸ ·" in rows["lamp"]
    assert "2 calls, 0 from the ledger" in drawn
    assert "\x1b" not in drawn


def test_lines_tell_the_beginning_the_trouble_and_the_end(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LineProgress(quiet=False)
    with progress.image("a.png"):
        progress.on_event(_event("sent", "1", "AttributeAnalyzer", "examine", "chair"))
        progress.on_event(_event("retry", "1", "AttributeAnalyzer", "examine", "chair", "rate_limited"))
    progress.finished(_analysis("partial"))

    assert capsys.readouterr().err.splitlines() == [
        "a.png: analysing",
        "a.png: AttributeAnalyzer.examine on chair: retry, rate_limited",
        "a.png: partial, 0 anomalies, 3 calls, 2 from the ledger, 1.2 s",
        "anomagent: a.png: partial: RelationReasoner on chair: it declined (and 1 more)",
    ]


def test_quiet_lines_only_explain_failures(capsys: pytest.CaptureFixture[str]) -> None:
    progress = LineProgress(quiet=True)
    with progress.image("a.png"):
        progress.on_event(_event("retry", "1", "AttributeAnalyzer", "examine", "chair", "rate_limited"))
    progress.finished(_analysis("ok"))
    assert capsys.readouterr().err == ""
    progress.finished(_analysis("failed"))
    assert capsys.readouterr().err.startswith("anomagent: a.png: failed: RelationReasoner")


def test_live_board_vanishes_when_the_image_is_done() -> None:
    console = Console(file=io.StringIO(), force_terminal=True, width=100, highlight=False)
    progress = LiveProgress("paper", console)
    with progress.image("a.png"):
        progress.on_event(_event("answered", "1", "ObjectPerceiver", "list"))

    assert isinstance(console.file, io.StringIO)
    written = console.file.getvalue()
    assert "ObjectPerceiver.list" in written
    assert written.rstrip().endswith("\x1b[2K")
