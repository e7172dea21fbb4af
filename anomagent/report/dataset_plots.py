# pyright: basic
"""The paper's Figure 4 for any data set, as one PNG."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator, StrMethodFormatter

from anomagent.benchmark.files import whole_file
from anomagent.benchmark.kinds import title_of
from anomagent.errors import UsageError
from anomagent.report.dataset import NOT_STATED
from anomagent.report.plain import printable

_STYLE: Final[Any] = {
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.parse_math": False,  # a name with two dollar signs is a name
}
_BEFORE, _AFTER = "#9db8d2", "#1f4e79"
_MOST_SOURCES: Final = 20
_LONGEST_NAME: Final = 28


def write_stats_plot(stats: Mapping[str, Any], file: Path) -> None:
    """Write images by source, annotations per image, severity, and kinds or objects, whole or not at all.

    Sources behind the twentieth are drawn as one. Raises `UsageError` where the file cannot be written.
    """
    sources = _sources(stats["sources"])
    with mpl.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        height = 3.4 + max(2.6, 1.0 + 0.34 * len(sources))
        figure = Figure(figsize=(11, height), layout="constrained")
        axes = figure.subplots(2, 2, height_ratios=(height - 3.4, 3.4))
        _draw_sources(axes[0][0], sources)
        _draw_per_image(axes[0][1], sources)
        _draw_severity(axes[1][0], stats["severity"])
        _draw_names(axes[1][1], stats)
        marks, labels = axes[1][0].get_legend_handles_labels()
        figure.legend(marks, labels, loc="outside upper right", ncols=2, frameon=False)
        try:
            with whole_file(file) as unfinished:
                figure.savefig(unfinished, format="png", dpi=150, metadata={"Software": None})
        except OSError as error:
            raise UsageError(f"{file}: cannot be written ({error.strerror}); choose another file") from error


def _sources(rows: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The largest sources, and the others as one."""
    shown = [{**row, "source": _short(row["source"] or NOT_STATED)} for row in rows[:_MOST_SOURCES]]
    if rest := rows[_MOST_SOURCES:]:
        total = {name: sum(row[name] for row in rest) for name in ("images", "analysed", "candidates", "accepted")}
        means = {
            mean: total[name] / total["analysed"] if total["analysed"] else None
            for mean, name in (("before", "candidates"), ("after", "accepted"))
        }
        shown.append({"source": f"{len(rest)} others", **total, **means})
    return shown


def _draw_sources(axes: Axes, sources: Sequence[Mapping[str, Any]]) -> None:
    bars = axes.barh(range(len(sources)), [one["images"] for one in sources], color=_AFTER, height=0.65)
    axes.bar_label(bars, [f"{one['images']:,}" for one in sources], padding=3, fontsize=8)
    axes.margins(x=0.12)
    _name_rows(axes, [one["source"] for one in sources])
    axes.set_title("Images by source", loc="left")
    _count_on(axes.xaxis)


def _draw_per_image(axes: Axes, sources: Sequence[Mapping[str, Any]]) -> None:
    _draw_pairs(axes, [(one["before"] or 0.0, one["after"] or 0.0) for one in sources], "{:.2f}")
    _name_rows(axes, [one["source"] for one in sources])
    axes.set_title("Annotations per image", loc="left")


def _draw_severity(axes: Axes, severity: Mapping[str, Sequence[int]]) -> None:
    for side, colour, shift in (("before", _BEFORE, -2.1), ("after", _AFTER, 2.1)):
        places = [10 * place + 5 + shift for place in range(len(severity[side]))]
        axes.bar(places, severity[side], width=4.2, color=colour, label=_LABELS[side])
    axes.set_xticks(range(0, 101, 10))
    axes.set_xlabel("severity (0 = completely implausible, 100 = realistic)")
    axes.set_title("Annotations by severity", loc="left")
    _count_on(axes.yaxis)


def _draw_names(axes: Axes, stats: Mapping[str, Any]) -> None:
    """Kinds where they were counted, else the most frequent objects; nothing where there are neither."""
    if stats["kinds"] is not None:
        ranked = sorted(stats["kinds"].items(), key=lambda item: -item[1]["before"])
        _draw_pairs(axes, [(both["before"], both["after"]) for _, both in ranked], "{:,}")
        _name_rows(axes, [_short(title_of(kind)) for kind, _ in ranked])
        axes.set_title("Annotations by kind (rules)", loc="left")
        _count_on(axes.xaxis)
        return
    names = list(stats["frequent_objects"].items())[:10]
    if not names:
        axes.remove()
        return
    bars = axes.barh(range(len(names)), [number for _, number in names], color=_AFTER, height=0.65)
    axes.bar_label(bars, [f"{number:,}" for _, number in names], padding=3, fontsize=8)
    axes.margins(x=0.12)
    _name_rows(axes, [_short(name) for name, _ in names])
    axes.set_title("Most frequent objects", loc="left")
    _count_on(axes.xaxis)


_LABELS: Final = {"before": "before review", "after": "after review (accepted)"}


def _draw_pairs(axes: Axes, values: Sequence[tuple[float, float]], number: str) -> None:
    """Two bars a row: before and after."""
    for side, colour, shift in ((0, _BEFORE, -0.2), (1, _AFTER, 0.2)):
        widths = [pair[side] for pair in values]
        label = _LABELS["after" if side else "before"]
        bars = axes.barh([row + shift for row in range(len(values))], widths, color=colour, height=0.38, label=label)
        axes.bar_label(bars, [number.format(width) for width in widths], padding=3, fontsize=7)
    axes.margins(x=0.14)


def _name_rows(axes: Axes, names: Sequence[str]) -> None:
    """The first row on top; a few rows get no thicker bars than many."""
    axes.set_yticks(range(len(names)), names)
    axes.set_ylim(max(len(names), 5) - 0.4, -0.6)


def _count_on(axis: Axis) -> None:
    """Whole numbers alone: half an image is none."""
    axis.set_major_locator(MaxNLocator(integer=True, nbins=6))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))


def _short(name: str) -> str:
    line = " ".join(printable(name).split()) or "(no name)"
    return line if len(line) <= _LONGEST_NAME else f"{line[: _LONGEST_NAME - 1]}…"
