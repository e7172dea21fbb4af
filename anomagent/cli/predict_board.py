"""What a user sees of predictions: the display of batches while they run, and a summary at the end."""

from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

from anomagent.batch.tally import MOST_FAILURES, Tally
from anomagent.cli.batch_board import LineDisplay, advice, display_for, summary_lines
from anomagent.cli.console import note, print_json
from anomagent.models.seam import Event
from anomagent.prediction.results import Counts
from anomagent.report.costs import count
from anomagent.state.findings import Analysis


@dataclass
class Board:
    """The display of batches; of many failures it shows the first, since the file has all."""

    display: LineDisplay
    _failures: int = 0

    @classmethod
    def of(cls, tally: Tally) -> Self:
        """The display that fits: live on a terminal, else lines."""
        return cls(display_for(tally))

    def shown(self) -> AbstractAsyncContextManager[None]:
        """Show it while the context is open."""
        return self.display.shown()

    def on_event(self, event: Event) -> None:
        """Take in something that happened to a call."""
        self.display.meter.on_event(event)

    def on_analysis(self, analysis: Analysis) -> None:
        """Say why an image failed, unless many did."""
        self._failures += analysis.status != "ok"
        if self._failures <= MOST_FAILURES:
            self.display.on_analysis(analysis)
        elif self._failures == MOST_FAILURES + 1 and analysis.status != "ok":
            self.say("further failures are counted only; the file of predictions has each with its reason")

    def say(self, line: str) -> None:
        """Tell the user at once."""
        self.display.say(line)


def print_summary(tally: Tally, counts: Counts, out: Path, json: bool) -> None:
    """How it went on stdout, and on stderr what to do next; the trace of a fault of ours as well."""
    import traceback

    if json:
        summary = {name: value for name, value in tally.as_dict().items() if name not in ("run", "duplicates")}
        print_json({**summary, "out": str(out), "file": asdict(counts)})
    else:
        print("\n".join([*summary_lines(tally), *_file(counts, out)]), flush=True)
    for line in advice(tally):
        note(line)
    if tally.fault:
        traceback.print_exception(tally.fault)


def _file(counts: Counts, out: Path) -> list[str]:
    parts = [
        count(counts.images, "image"),
        count(counts.anomalies, "anomaly", "anomalies"),
        f"{counts.empty:,} without any",
        f"{counts.partial:,} partial",
        f"{counts.failures:,} failed",
    ]
    verdicts = [f"{number:,} {verdict}" for verdict, number in sorted(counts.verdicts.items(), reverse=True)]
    return [f"{out}: {', '.join(parts)}", *([f"AI-generated: {', '.join(verdicts)}"] if verdicts else [])]
