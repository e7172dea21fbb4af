"""How values are spread, as lines of text and as a picture, with the threshold that cuts them."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from anomagent.benchmark.files import whole_file
from anomagent.errors import UsageError

_BAR = 40


@dataclass(frozen=True)
class Histogram:
    """How many values lie in each of some bins of equal width; the last bin has its upper edge in it, too."""

    least: float
    most: float
    counts: tuple[int, ...]

    @classmethod
    def of(cls, values: Iterable[float], least: float, most: float, bins: int = 20) -> "Histogram":
        """Count values. Raises `ValueError` for one that is outside of `least` to `most`: nothing goes unseen."""
        counts = [0] * bins
        for value in values:
            if not least <= value <= most:
                raise ValueError(f"{value} is not between {least} and {most}")
            counts[min(bins - 1, int((value - least) / (most - least) * bins))] += 1
        return cls(least, most, tuple(counts))

    @property
    def edges(self) -> list[float]:
        """The edges of the bins, one more than there are bins."""
        bins = len(self.counts)
        return [self.least + (self.most - self.least) * place / bins for place in range(bins + 1)]

    def lines(self, threshold: float | None = None) -> list[str]:
        """A line for each bin; the bar of one that lies below the threshold as a whole is light."""
        highest = max(self.counts) or 1
        lines: list[str] = []
        for low, high, count in zip(self.edges, self.edges[1:], self.counts, strict=False):
            mark = "░" if threshold is not None and high <= threshold else "█"
            bar = mark * math.ceil(count / highest * _BAR)
            is_cut = threshold is not None and low <= threshold < high
            lines.append(
                f"{low:6.3f} {bar:<{_BAR}} {count:>9,}" + (f"  ◂ {threshold:g} and above stay" if is_cut else "")
            )
        return lines


def check_plot(file: Path) -> None:
    """Raises `UsageError` where `plot` could not write `file`: another ending, or no matplotlib."""
    if file.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise UsageError(f"--plot {file}: cannot tell the form by its ending; name it .png, .svg or .pdf")
    try:
        import_module("matplotlib")
    except ImportError as error:
        raise UsageError("--plot needs more packages: pip install 'anomagent[local]'") from error


def plot(histograms: Mapping[str, tuple[Histogram, float | None]], file: Path) -> None:
    """Draw histograms, each with its threshold, one above the other. Raises `UsageError`."""
    check_plot(file)
    figures: Any = import_module("matplotlib.figure")
    figure = figures.Figure(figsize=(6.4, 2.2 * len(histograms)), layout="constrained")
    for axes, (name, (histogram, threshold)) in zip(
        figure.subplots(len(histograms), squeeze=False)[:, 0], histograms.items(), strict=True
    ):
        axes.stairs(histogram.counts, histogram.edges, fill=True)
        axes.set_xlabel(name.replace("_", " "))
        axes.set_ylabel("images")
        if threshold is not None:
            axes.axvline(threshold, color="black", linestyle="--")
    try:
        with whole_file(file) as unfinished:
            figure.savefig(unfinished, format=file.suffix.lower()[1:], dpi=150)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror or error}; choose another file") from error
