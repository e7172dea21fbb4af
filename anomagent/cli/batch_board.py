"""What a user sees while a batch runs: a live board on a terminal, a line now and then elsewhere, all on stderr."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Iterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import Final

from rich.console import Console, RenderableType
from rich.live import Live
from rich.progress_bar import ProgressBar
from rich.table import Table

from anomagent.batch.meter import Meter
from anomagent.batch.tally import MOST_FAILURES, Tally
from anomagent.cli.console import flat, note, plain
from anomagent.cli.progress import explain_failures
from anomagent.report.costs import count, describe_money, describe_usage
from anomagent.state.findings import Analysis

_LINE_SECONDS: Final = 10.0
_FRAMES_A_SECOND: Final = 4


@dataclass
class LineDisplay:
    """A line every ten seconds, and one for each of the first failures."""

    tally: Tally
    meter: Meter = field(default_factory=Meter)
    _explained: int = 0

    def on_analysis(self, analysis: Analysis) -> None:
        """Say why an image failed, unless many did: all failures are in the store."""
        if analysis.status == "ok":
            return
        self._explained += 1
        if self._explained <= MOST_FAILURES:
            explain_failures(analysis)
        elif self._explained == MOST_FAILURES + 1:
            self.say("further failures are counted only; `anomagent show IMAGE` tells each")

    def say(self, line: str) -> None:
        """Tell the user at once."""
        note(f"anomagent: {line}")

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[None]:
        """Show the display while the context is open."""
        ticking = asyncio.create_task(self._tick())
        try:
            yield
        finally:
            ticking.cancel()
            with suppress(asyncio.CancelledError):
                await ticking

    async def _tick(self) -> None:
        while True:
            await asyncio.sleep(_LINE_SECONDS)
            trouble = [self.meter.trouble] if self.meter.trouble else []
            note("; ".join([*status_lines(self.tally, self.meter), *trouble]))


class LiveDisplay(LineDisplay):
    """A board that is redrawn while the batch runs; failures are printed above it."""

    console: Console | None = None

    @asynccontextmanager
    async def shown(self) -> AsyncGenerator[None]:
        """Show the board while the context is open."""
        console = self.console or Console(stderr=True, highlight=False, markup=False, emoji=False)

        def draw() -> RenderableType:
            return draw_board(self.tally, self.meter)

        with Live(get_renderable=draw, console=console, transient=True, refresh_per_second=_FRAMES_A_SECOND):
            yield


def display_for(tally: Tally) -> LineDisplay:
    """The display that fits: live on a terminal, else lines."""
    return LiveDisplay(tally) if sys.stderr.isatty() else LineDisplay(tally)


def draw_board(tally: Tally, meter: Meter) -> RenderableType:
    """A bar and the lines of `status_lines` under it."""
    table = Table.grid()
    table.add_row(ProgressBar(total=max(1, tally.images), completed=tally.images - tally.left, width=60))
    for line in status_lines(tally, meter):
        table.add_row(plain(flat(line)))
    if meter.trouble:
        table.add_row(plain(flat(meter.trouble), "yellow"))
    return table


def status_lines(tally: Tally, meter: Meter) -> list[str]:
    """Images, rates, shares, money with a forecast, and the time that is left."""
    calls, tokens = meter.rates()
    return [
        _images(tally),
        f"{calls:.1f} calls/s, {tokens:,.0f} tokens/s, {meter.hit_share:.0%} from the ledger,"
        f" {meter.cached_share:.0%} of input tokens cached",
        f"{_money(tally)}, {_clock(tally.elapsed)} gone, {_time_left(tally)}",
    ]


def summary_lines(tally: Tally) -> Iterator[str]:
    """How the batch went, for people."""
    yield f"{_images(tally)} in {_clock(tally.seconds)}" + (f", stopped: {tally.stopped}" if tally.stopped else "")
    if tally.duplicates:
        yield f"{count(tally.duplicates, 'image')} equal to another, reported under each name and analysed once"
    yield describe_usage(tally.usage)
    if tally.run:
        yield f"run {tally.run}"


def advice(tally: Tally) -> Iterator[str]:
    """What the user can do about images that are not ok."""
    if tally.failed_earlier:
        earlier = count(tally.failed_earlier, "image")
        yield f"anomagent: {earlier} failed or partial before and left alone; --retry-failed tries again"
    if tally.not_meant:
        yield f"anomagent: {count(tally.not_meant, 'image')} never analysed and left alone by --retry-failed"
    if not tally.failed_earlier and tally.failed + tally.partial > tally.unreadable:
        yield "anomagent: --retry-failed tries again what failed or is partial"
    if tally.unreadable:
        yield f"anomagent: {count(tally.unreadable, 'file')} could not be read; mend them and run again"
    if tally.stopped == "budget":
        yield f"anomagent: the budget ended the batch; {_standing(tally)}, {tally.left:,} left"
    elif tally.stopped == "interrupted" and tally.standing and tally.standing.spent:
        yield f"anomagent: {_standing(tally)}"
    if tally.stopped == "disk":
        yield "anomagent: the disk is full; free space and run the same command again"
    elif tally.stopped == "store":
        yield "anomagent: workspace, Postgres or cluster cannot be used; mend it and run the same command again"


def _images(tally: Tally) -> str:
    states = (
        (tally.ok, "ok"),
        (tally.partial, "partial"),
        (tally.failed, "failed"),
        (tally.already_done, "already done"),
    )
    parts = ", ".join(f"{number:,} {state}" for number, state in states if number or state == "ok")
    return f"{tally.done:,} of {count(tally.images, 'image')} done: {parts}, {tally.left:,} left"


def _money(tally: Tally) -> str:
    usd = tally.usage.usd
    if usd is None or not tally.analysed:
        return describe_money(usd)
    return f"{describe_money(usd)}, about {describe_money(usd / tally.analysed * tally.to_do)} to come"


def _time_left(tally: Tally) -> str:
    if not tally.analysed:
        return "time left unknown"
    return f"about {_clock(tally.elapsed / tally.analysed * tally.to_do)} left"


def _standing(tally: Tally) -> str:
    """Where the money stands, images that were cut short included."""
    unknown = tally.standing is None or tally.usage.usd is None
    spent = describe_money(tally.usage.usd) if unknown else str(tally.standing)
    return f"{spent} for {count(tally.done, 'image')} and those cut short"


def _clock(seconds: float) -> str:
    """Seconds as 4 s, 5:07 or 2:05:07."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:,}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
