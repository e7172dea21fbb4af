"""The page of an evaluation or an audit: facts, tables, plots, and the example images behind each plot."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from anomagent.report.html import render, write_html
from anomagent.report.plots import data_url
from anomagent.report.tables import Table


@dataclass(frozen=True)
class Example:
    """An image behind a figure."""

    image: str
    picture: str | None
    """Data URL, None where the image is not at hand."""
    note: str


@dataclass(frozen=True)
class Plot:
    """A plot with the images behind it."""

    title: str
    svg: str
    caption: str = ""
    examples: Sequence[Example] = ()

    @property
    def plot(self) -> str:
        """The plot as a data URL."""
        return data_url(self.svg)


@dataclass(frozen=True)
class MatchRow:
    """One line of an image's matching: what was predicted, what it was matched to, and how similar they are."""

    prediction: str | None
    ground_truth: str | None
    similarity: float | None


@dataclass(frozen=True)
class MatchedImage:
    """An image with its matching."""

    image: str
    picture: str | None
    note: str
    rows: Sequence[MatchRow]


@dataclass(frozen=True)
class Page:
    """Everything that a page of metrics shows."""

    title: str
    facts: Sequence[str]
    tables: Sequence[Table]
    figures: Sequence[Plot]
    examples: Sequence[MatchedImage] = field(default=())


def render_metrics(page: Page) -> str:
    """The page as text."""
    return render(
        "metrics.html.j2",
        title=page.title,
        facts=page.facts,
        tables=page.tables,
        figures=page.figures,
        examples=page.examples,
    )


def write_metrics(page: Page, file: Path) -> None:
    """Write the page to `file`, whole or not at all. Raises `UsageError` where it cannot be written."""
    write_html(render_metrics(page), file)
