"""What an analysis of many images is expected to take, and how it is said."""

from dataclasses import asdict, dataclass
from typing import Any

from anomagent.batch.sizing import Duration


@dataclass(frozen=True)
class Estimate:
    """What is still to be paid for. Token counts include what servers read from their cache."""

    images: int
    """Still to be analysed."""
    repeated: int
    """Further names of images that are counted once."""
    finished: int
    """Analysed before under this configuration or one that is kept, and not counted."""
    left_alone: int
    """Failed before, or never analysed where only failures are retried, and not counted."""
    objects: float
    """N, objects an image."""
    history: int
    """Images of this workspace that the estimate rests on; 0: on assumptions."""
    calls: int
    input_tokens: int
    cached_tokens: int
    """Those of the input tokens that a prefix cache may spare."""
    output_tokens: int
    prefix_common: float
    """Share of an image's input tokens that lie in the prefix common to all of its calls, 0 to 1."""
    prefix_usd: float | None
    """US dollars that a cache of prefixes saves on each image; None: no published price of cached tokens."""
    usd: float | None
    """None: the price of a model is not known."""
    seconds_per_call: float
    duration: Duration
    budget_images: int | None
    """Images that the budget is enough for; None: for all, or there is no budget."""
    notes: tuple[str, ...]
    """What the figures rest on and leave out, one sentence each."""

    def describe(self) -> list[str]:
        """The estimate as lines of text."""
        each = max(1, self.images)
        cached = self.cached_tokens / self.input_tokens if self.input_tokens else 0.0
        basis = f"from {self.history} images of this workspace" if self.history else "assumed, no history"
        money = "price unknown" if self.usd is None else f"{self.usd:,.2f} USD ({self.usd / each:.4f} an image)"
        left_out = f"{self.repeated:,} repeated, {self.finished:,} finished before, {self.left_alone:,} left alone"
        lines = [
            f"images: {self.images:,} ({left_out})",
            f"objects: {self.objects:.1f} an image ({basis})",
            f"calls: {self.calls:,} ({self.calls / each:.1f} an image)",
            f"input: {self.input_tokens:,} tokens, of them {cached:.0%} cached",
            f"output: {self.output_tokens:,} tokens",
            f"prefix: {self._prefix()}",
            f"money: {money}",
            f"time: {_clock(self.duration.hours)} at least, bound by {self.duration.binding}"
            f" ({self.seconds_per_call:.1f} s a call)",
        ]
        if self.budget_images is not None:
            lines.append(f"budget: enough for about {self.budget_images:,} of {self.images:,} images")
        return [*lines, *(f"note: {note}" for note in self.notes)]

    def _prefix(self) -> str:
        saves = "" if self.prefix_usd is None else f"; a cache of prefixes saves {self.prefix_usd:.4f} USD an image"
        return f"{self.prefix_common:.0%} of an image's input is common to all of its calls{saves}"

    def as_dict(self) -> dict[str, Any]:
        """The estimate as plain data, for JSON."""
        return {**asdict(self), "notes": list(self.notes)}


def _clock(hours: float) -> str:
    if hours >= 1:
        return f"{hours:,.1f} h"
    return f"{hours * 60:.1f} min"
