import asyncio
import io

import pytest
from rich.console import Console

from anomagent.batch.meter import Meter
from anomagent.batch.tally import MOST_FAILURES, Tally
from anomagent.cli import batch_board
from anomagent.cli.batch_board import LineDisplay, LiveDisplay, advice, draw_board, status_lines, summary_lines
from anomagent.models.budget import Standing
from anomagent.models.seam import Event
from anomagent.models.types import Usage
from anomagent.state.findings import Analysis, Status, UsageTotals
from tests.report.examples import HOSTILE


def _analysis(status: Status = "ok", image: str = "a.png", usd: float | None = 0.5) -> Analysis:
    failure = {"role": "batch", "object": None, "error": "unreadable", "message": "torn"}
    return Analysis.model_validate(
        {
            "image": image,
            "sha256": "ab",
            "status": status,
            "schedule": "direct",
            "anomalies": [],
            "failures": [] if status == "ok" else [failure],
            "usage": UsageTotals(calls=2, usd=usd),
            "seconds": 1.0,
        }
    )


def _tally(monkeypatch: pytest.MonkeyPatch, *analyses: Analysis, images: int = 10) -> Tally:
    """A batch that has worked for a minute."""
    tally = Tally(images)
    for analysis in analyses:
        tally.add(analysis)
    monkeypatch.setattr(Tally, "elapsed", 60.0)
    return tally


def test_status_says_counts_money_and_time_with_a_forecast(monkeypatch: pytest.MonkeyPatch) -> None:
    tally = _tally(monkeypatch, _analysis(), _analysis(), _analysis("partial"))
    tally.already_done, tally.failed_earlier = 2, 1
    images, _, money = status_lines(tally, Meter())
    assert images == "3 of 10 images done: 2 ok, 1 partial, 2 already done, 5 left"
    # Three images took 60 s and 1.50 USD; four more are to be done, the fifth of those left is left alone.
    assert money == "1.5000 USD, about 2.0000 USD to come, 1:00 gone, about 1:20 left"
    # Eight were looked at; the store had four finished contents and two were met, so the last two are likely done.
    tally.looked_at, tally.finished_before = 8, 4
    assert status_lines(tally, Meter())[2] == "1.5000 USD, about 1.0000 USD to come, 1:00 gone, about 40.0 s left"
    tally.looked_at = 10
    assert "about 2.0000 USD to come" in status_lines(tally, Meter())[2]


def test_rates_and_shares_come_from_the_calls(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter(lambda: 0.0)
    meter.clock = lambda: 10.0
    for key in "abcde":
        meter.on_event(Event("answered", key, "SceneScanner", "scan", None, 0, usage=Usage(80, 20, 20)))
    meter.on_event(Event("ledger_hit", "f", "SceneScanner", "scan", None, 0))
    # Five answers of 100 tokens in ten seconds; one of six answers from the ledger; a quarter of the input cached.
    expected = "0.5 calls/s, 50 tokens/s, 17% from the ledger, 25% of input tokens cached"
    assert status_lines(_tally(monkeypatch), meter)[1] == expected


def test_without_prices_or_results_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    assert status_lines(_tally(monkeypatch), Meter())[2] == "0.0000 USD, 1:00 gone, time left unknown"
    assert status_lines(_tally(monkeypatch, _analysis(usd=None)), Meter())[2].startswith("price unknown, 1:00 gone")


def test_board_shows_trouble_and_no_control_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    meter = Meter()
    meter.on_event(Event("retry", "k", "SceneScanner", "scan", None, 0, "unavailable\x1b[31m\nagain in 2 s"))
    console = Console(file=io.StringIO(), width=120, highlight=False)
    console.print(draw_board(_tally(monkeypatch, _analysis()), meter))
    assert isinstance(console.file, io.StringIO)
    drawn = console.file.getvalue()
    assert "SceneScanner: retry, unavailable[31m again in 2 s" in drawn
    bar, images, *_ = drawn.splitlines()
    assert set(bar.strip()) <= set("━╸╺")
    assert images.startswith("1 of 10 images done: 1 ok, 9 left")
    assert "\x1b" not in drawn


def test_failures_are_told_up_to_a_bound(capsys: pytest.CaptureFixture[str]) -> None:
    display = LineDisplay(Tally(100))
    for number in range(50):
        display.on_analysis(_analysis("failed", f"{number}{HOSTILE}.png"))
        display.on_analysis(_analysis())
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == MOST_FAILURES + 1
    assert "counted only" in lines[-1]
    assert not any("\x1b" in line for line in lines)


async def test_lines_come_now_and_then(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(batch_board, "_LINE_SECONDS", 0.0)
    async with LineDisplay(Tally(3)).shown():
        while not (said := capsys.readouterr().err):
            await asyncio.sleep(0)
    assert said.startswith("0 of 3 images done: 0 ok, 3 left; 0.0 calls/s")


async def test_the_live_board_is_drawn_and_vanishes() -> None:
    display = LiveDisplay(Tally(3))
    display.console = Console(file=io.StringIO(), force_terminal=True, width=120)
    async with display.shown():
        pass
    assert isinstance(display.console.file, io.StringIO)
    assert "0 of 3 images done" in display.console.file.getvalue()


def test_summary_and_advice_fit_what_happened() -> None:
    tally = Tally(5)
    tally.add(_analysis("partial"))
    tally.count("ok", duplicate=True)
    tally.close("budget")
    summary, told = "\n".join(summary_lines(tally)), "\n".join(advice(tally))
    assert "2 of 5 images done: 1 ok, 1 partial, 3 left" in summary
    assert "stopped: budget" in summary
    assert "1 image equal to another" in summary
    assert "--retry-failed" in told
    assert "0.5000 USD for 2 images and those cut short, 3 left" in told
    assert not list(advice(Tally(5)))


def test_where_the_money_stands_is_told_at_an_early_end() -> None:
    tally = Tally(5, standing=Standing(0.4, 0.0, 2.0))
    assert not list(advice(tally))
    tally.close("budget")
    expected = "anomagent: the budget ended the batch; 0.40 of 2.00 USD spent for 0 images and those cut short, 5 left"
    assert list(advice(tally)) == [expected]
    tally.close("interrupted")
    assert list(advice(tally)) == ["anomagent: 0.40 of 2.00 USD spent for 0 images and those cut short"]


def test_images_that_retrying_does_not_mean_are_told() -> None:
    assert list(advice(Tally(5, not_meant=2))) == [
        "anomagent: 2 images never analysed and left alone by --retry-failed"
    ]
