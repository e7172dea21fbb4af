"""What a user sees while images are analysed: a live board on a terminal, short lines elsewhere, all on stderr."""

import sys
import time
from collections.abc import Generator
from contextlib import AbstractContextManager, contextmanager
from typing import Protocol

from rich.console import Console, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from anomagent.cli.board import CHAIN, Board, Cell
from anomagent.cli.console import flat, note, plain
from anomagent.config import Settings
from anomagent.models.seam import Event
from anomagent.report.costs import count
from anomagent.state.findings import Analysis

_FRAMES = "◐◓◑◒"
_FRAMES_A_SECOND = 4


class Progress(Protocol):
    """Follows the analyses of one command, one image at a time."""

    def image(self, name: str) -> AbstractContextManager[None]:
        """Show the analysis of an image while the context is open."""
        ...

    def on_event(self, event: Event) -> None:
        """Take in something that happened to a call."""
        ...

    def finished(self, analysis: Analysis) -> None:
        """An image is done, with this result."""
        ...


def progress_for(settings: Settings, quiet: bool) -> Progress:
    """The display that fits: live on a terminal, else short lines, or only failures where `quiet`."""
    if sys.stderr.isatty():
        return LiveProgress(settings.schedule)
    return LineProgress(quiet)


class LineProgress:
    """A line when an image begins, when a call has trouble and when the image is done."""

    def __init__(self, quiet: bool) -> None:
        self._quiet = quiet
        self._name = ""

    @contextmanager
    def image(self, name: str) -> Generator[None]:
        """Say that the image is being analysed."""
        self._name = name
        self._say(f"{name}: analysing")
        yield

    def on_event(self, event: Event) -> None:
        """Say what has gone wrong with a call."""
        if event.kind in ("retry", "cut_off", "repair", "failed"):
            about = f" on {event.object}" if event.object else ""
            self._say(f"{self._name}: {event.role}.{event.step}{about}: {event.kind.replace('_', ' ')}, {event.detail}")

    def finished(self, analysis: Analysis) -> None:
        """Say how it ended; where something failed, why, even when quiet."""
        usage = analysis.usage
        self._say(
            f"{analysis.image}: {analysis.status}, {count(len(analysis.anomalies), 'anomaly', 'anomalies')},"
            f" {count(usage.calls, 'call')}, {usage.ledger_hits:,} from the ledger, {analysis.seconds:.1f} s"
        )
        explain_failures(analysis)

    def _say(self, line: str) -> None:
        if not self._quiet:
            note(line)


class LiveProgress:
    """A board that is redrawn while an image is analysed and vanishes before its result is printed."""

    def __init__(self, schedule: str, console: Console | None = None) -> None:
        self._console = console or Console(stderr=True, highlight=False, markup=False, emoji=False)
        self._steps = 2 if schedule == "paper" else 1
        self._board = Board()

    @contextmanager
    def image(self, name: str) -> Generator[None]:
        """Show the board of this image."""
        self._board = Board()
        started = time.monotonic()

        def draw() -> RenderableType:
            return draw_board(self._board, name, time.monotonic() - started, self._steps)

        with Live(get_renderable=draw, console=self._console, transient=True, refresh_per_second=_FRAMES_A_SECOND):
            yield

    def on_event(self, event: Event) -> None:
        """Put the event on the board."""
        self._board.add(event)

    def finished(self, analysis: Analysis) -> None:
        """Where something failed, say why."""
        explain_failures(analysis)


def explain_failures(analysis: Analysis) -> None:
    """One line on stderr for an image that is not ok: how it ended, the main reason, and how many more there are."""
    if analysis.status == "ok":
        return
    reason = "no reason was recorded"
    if analysis.failures:
        # What concerns the whole image is what cost the result.
        first = min(analysis.failures, key=lambda failure: failure["object"] is not None)
        more = len(analysis.failures) - 1
        about = f" on {first['object']}" if first["object"] else ""
        reason = f"{first['role']}{about}: {first['message']}" + (f" (and {more} more)" if more else "")
    note(f"anomagent: {analysis.image}: {analysis.status}: {reason}")


def draw_board(board: Board, name: str, seconds: float, steps: int) -> RenderableType:
    """The board as a table: rows about the whole image, then a row for each object. `steps` are those of an agent."""
    # The drawing thread copies what the event loop changes meanwhile.
    image_rows, object_rows = list(board.steps.items()), list(board.objects.items())
    input_tokens, output_tokens = board.tokens
    frame = _FRAMES[int(seconds * _FRAMES_A_SECOND) % len(_FRAMES)]
    table = Table(
        title=plain(flat(name), "bold"),
        caption=f"{count(board.requests, 'call')}, {board.ledger_hits:,} from the ledger, "
        f"{input_tokens:,} + {output_tokens:,} tokens, {seconds:.0f} s",
        title_justify="left",
        caption_justify="left",
        box=None,
    )
    for header in ("", " ▸ ".join(CHAIN)):
        table.add_column(header, overflow="ellipsis", no_wrap=True)
    for step, cell in image_rows:
        table.add_row(step, _cell(cell, len(cell.asked), frame))
    for about, agents in object_rows:
        cells = [_cell(agents.get(agent), 1 if agent == CHAIN[-1] else steps, frame) for agent in CHAIN]
        table.add_row(plain(flat(about)), Text(" ▸ ").join(cells))
    return table


def _cell(cell: Cell | None, of: int, frame: str) -> Text:
    if cell is None:
        return Text("·", "dim")
    if cell.failed:
        return plain(f"✗ {cell.failed}", "red")
    count = len(cell.done)
    if count >= of:
        return Text(f"✓ {count}/{of}", "green")
    return plain(f"{frame} {count}/{of} {flat(cell.news)}".rstrip(), "yellow" if cell.news else "")
