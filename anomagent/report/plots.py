# pyright: basic
"""Plots as SVG data URLs, ready for a page that may load nothing from anywhere."""

import base64
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from anomagent.report.plain import printable

_COLOURS: Any = mpl.colormaps["tab10"]
_STYLE: Any = {
    "svg.hashsalt": "anomagent",  # equal figures are equal files
    "svg.fonttype": "none",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a name with two dollar signs is a name
}
_LONGEST_NAME = 32
_NO_XML = re.compile(r"[\ufffe\uffff]")
"""What no XML may hold, not even escaped: a browser would show nothing of the plot."""

Interval = Sequence[float] | None
"""Lower and upper bound, or None where there is none."""


def data_url(svg: str) -> str:
    """`svg` as a data URL: inside an `<img>` it can run nothing."""
    return f"data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}"


def draw_curve(lines: Mapping[str, Sequence[tuple[float, float]]], label: str = "score") -> str:
    """One line for each name over the similarity threshold; points are (threshold, score)."""

    def draw(axes: Axes) -> None:
        for colour, (name, points) in zip(_cycle(len(lines)), lines.items(), strict=True):
            x, y = zip(*points, strict=True) if points else ((), ())
            axes.plot(x, y, marker="o", markersize=3, color=colour, label=_short(name))
        axes.set_xlabel("similarity threshold")
        axes.set_ylabel(label)
        axes.set_ylim(0, 1)
        _name_colours(axes)

    return _svg(draw, 5.6, 3.2)


def draw_bars(values: Mapping[str, float], intervals: Mapping[str, Interval], label: str) -> str:
    """Horizontal bars in the order given, the first on top, each with its interval where there is one."""

    def draw(axes: Axes) -> None:
        for place, (name, value) in enumerate(values.items()):
            interval = intervals.get(name)
            axes.barh(place, value, color=_COLOURS(0), height=0.65)
            if interval is not None:
                axes.plot(list(interval), [place, place], color="black", linewidth=1.2, marker="|", markersize=7)
        axes.set_yticks(range(len(values)), [_short(name) for name in values])
        axes.invert_yaxis()
        axes.set_xlabel(label)

    return _svg(draw, 6.2, 0.8 + 0.28 * len(values))


def draw_histogram(values: Sequence[float], label: str, *, bins: int = 20, least: float = 0, most: float = 1) -> str:
    """How many images (or pairs) have which value, between `least` and `most`."""

    def draw(axes: Axes) -> None:
        axes.hist(list(values), bins=bins, range=(least, most), color=_COLOURS(0), edgecolor="white", linewidth=0.5)
        axes.set_xlabel(label)
        axes.set_ylabel("number")

    return _svg(draw, 4.2, 2.4)


def draw_stacks(parts: Mapping[str, Mapping[str, float]], label: str) -> str:
    """A horizontal bar for each name, made of the named parts; the parts of all bars have the same colours."""

    def draw(axes: Axes) -> None:
        names = list(dict.fromkeys(part for stack in parts.values() for part in stack))
        left = [0.0] * len(parts)
        for colour, name in zip(_cycle(len(names)), names, strict=True):
            widths = [stack.get(name, 0.0) for stack in parts.values()]
            axes.barh(range(len(parts)), widths, left=left, color=colour, height=0.65, label=_short(name))
            left = [a + b for a, b in zip(left, widths, strict=True)]
        axes.set_yticks(range(len(parts)), [_short(name) for name in parts])
        axes.invert_yaxis()
        axes.set_xlabel(label)
        _name_colours(axes, bbox_to_anchor=(1.01, 1), loc="upper left", fontsize=8)

    return _svg(draw, 7.4, max(2.2, 0.8 + 0.28 * len(parts)))


def _svg(draw: Callable[[Axes], None], width: float, height: float) -> str:
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        # The browser draws the letters; only their width is guessed here.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        figure = Figure(figsize=(width, height), layout="constrained")
        draw(figure.add_subplot())
        written = BytesIO()
        figure.savefig(written, format="svg", metadata={"Date": None})
    return written.getvalue().decode()


def _name_colours(axes: Axes, **place: Any) -> None:
    """A legend, where there is anything to name."""
    if axes.get_legend_handles_labels()[1]:
        axes.legend(frameon=False, **place)


def _cycle(count: int) -> list[Any]:
    return [_COLOURS(number % _COLOURS.N) for number in range(count)]


def _short(name: str) -> str:
    """A name as a label: one line, bounded, and never hidden as matplotlib hides what begins with an underscore."""
    line = " ".join(_NO_XML.sub("\ufffd", printable(name)).split()) or "(no name)"
    line = line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
    return f" {line}" if line.startswith("_") else line
