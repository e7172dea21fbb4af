"""How a batch is going, as counters: its size never depends on the number of images."""

import time
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from anomagent.batch.stop import Reason
from anomagent.models.budget import Standing
from anomagent.models.types import Usage
from anomagent.state.findings import Analysis, Status, UsageTotals

MOST_FAILURES: Final = 20
"""Failures that are named in a summary; all of them are in the store."""
_LONGEST: Final = 300
"""Characters of a failure's message in the summary."""


@dataclass
class Tally:
    """What became of the images so far. Law: images = done + already done + left."""

    images: int
    run: str | None = None
    """Id of the run in the store."""
    configuration: str | None = None
    """Hash of everything that decides what is asked."""
    ok: int = 0
    partial: int = 0
    failed: int = 0
    unreadable: int = 0
    """Of those failed: files that are missing or no images."""
    already_done: int = 0
    """Finished by an earlier batch under this configuration, or under one that is kept."""
    duplicates: int = 0
    """Of those done: further names of a content that was analysed under another name."""
    failed_earlier: int = 0
    """Of those left: failed or partial in an earlier batch, and not to be tried again."""
    not_meant: int = 0
    """Of those left: never analysed, where only what failed is to be tried again."""
    looked_at: int = 0
    """Images whose content and state are known; of the others some may be done already."""
    finished_before: int = 0
    """Contents, of these images or of others, that the workspace had finished when the batch began."""
    usage: UsageTotals = field(default_factory=UsageTotals)
    """What the images done have cost, and those that the budget cut short; at the end also those that were given up."""
    standing: Standing | None = None
    """What was paid, known at the end. None where a price is unknown."""
    failures: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    stopped: Reason | None = None
    fault: Exception | None = None
    """The first error that is a fault of ours."""
    started: float = field(default_factory=time.monotonic)
    seconds: float = 0.0

    @property
    def done(self) -> int:
        """Images with a result of this run."""
        return self.ok + self.partial + self.failed

    @property
    def left(self) -> int:
        """Images without a result."""
        return self.images - self.done - self.already_done

    @property
    def to_do(self) -> int:
        """Images left that are to be analysed, as far as is known.

        Of those not looked at yet as many are taken to be done as the workspace has results that were not met so far.
        """
        unseen = min(self.images - self.looked_at, max(0, self.finished_before - self.already_done))
        return self.left - self.failed_earlier - self.not_meant - unseen

    @property
    def analysed(self) -> int:
        """Images done that were analysed for themselves."""
        return self.done - self.duplicates

    def count(self, status: Status, duplicate: bool = False) -> None:
        """Count one image that is done."""
        setattr(self, status, getattr(self, status) + 1)
        self.duplicates += duplicate

    def add(self, analysis: Analysis, duplicate: bool = False) -> None:
        """Count an image that is done, what it cost, and why it failed."""
        self.count(analysis.status, duplicate)
        self.spend(analysis.usage)
        if analysis.status != "ok" and len(self.failures) < MOST_FAILURES:
            # What concerns the whole image is what cost the result.
            first = min(analysis.failures, key=lambda failure: failure["object"] is not None, default=None)
            error, message = (first["error"], first["message"]) if first else ("unknown", "no reason was recorded")
            self.failures.append({"image": analysis.image, "error": error, "message": message[:_LONGEST]})

    def spend(self, usage: UsageTotals) -> None:
        """Count what an image has cost, whether it is done or not."""
        self.usage = _sum(self.usage, usage)

    def account(self, standing: Standing, requests: int, usage: Usage) -> None:
        """Note what was paid in all. It is never less than what the images have cost, and more where some were given up
        in work: their finished requests are in the ledger."""
        self.standing = standing
        paid = {"calls": requests, **asdict(usage)}
        whole = {name: max(getattr(self.usage, name), number) for name, number in paid.items()}
        usd = None if self.usage.usd is None else max(self.usage.usd, standing.spent)
        self.usage = self.usage.model_copy(update={**whole, "usd": usd})

    def close(self, stopped: Reason | None) -> None:
        """Note the end, and whether it was the end of all images."""
        self.stopped = stopped
        self.seconds = self.elapsed

    @property
    def elapsed(self) -> float:
        """Seconds since the batch began."""
        return time.monotonic() - self.started

    @property
    def exit_code(self) -> int:
        """0: all is well; 1: a fault of ours; 3: something failed or had to stop; 130: interrupted."""
        if self.stopped == "interrupted":
            return 130
        if self.fault:
            return 1
        return 3 if self.stopped or self.failed or self.partial or self.left > self.not_meant else 0

    def as_dict(self) -> dict[str, Any]:
        """The summary as `batch --json` prints it."""
        return {
            "run": self.run,
            "configuration": self.configuration,
            "images": self.images,
            "done": self.done,
            "ok": self.ok,
            "partial": self.partial,
            "failed": self.failed,
            "already_done": self.already_done,
            "duplicates": self.duplicates,
            "left": self.left,
            "failed_earlier": self.failed_earlier,
            "not_meant": self.not_meant,
            "usage": self.usage.model_dump(),
            "spent_usd": self.standing.spent if self.standing else None,
            "seconds": round(self.seconds, 3),
            "stopped": self.stopped,
            "failures": self.failures,
        }


def _sum(one: UsageTotals, other: UsageTotals) -> UsageTotals:
    """Both together; what costs nobody knows how much makes the sum unknown."""
    usd = None if one.usd is None or other.usd is None else one.usd + other.usd
    numbers = {name: getattr(one, name) + getattr(other, name) for name in UsageTotals.model_fields if name != "usd"}
    return UsageTotals(**numbers, usd=usd)
