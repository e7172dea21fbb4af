"""Tables of numbers on a terminal."""

from typing import TYPE_CHECKING

from anomagent.cli.console import plain, stdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rich.table import Table as RichTable

    from anomagent.report.tables import Table

_NAME = 10
"""Characters that the column of names has at least, however narrow the terminal is."""


def print_tables(facts: "Sequence[str]", tables: "Iterable[Table]") -> None:
    """Print facts and tables; names that somebody else wrote are printed letter by letter.

    A table that is wider than the terminal, or than the 80 columns of a pipe, has longer lines: no figure is cut.
    """
    console = stdout()
    for line in facts:
        console.print(plain(line, "dim"))
    for table in tables:
        drawn = _draw(table)
        wide = stdout()
        wide.width = max(console.width, _least_width(drawn))
        wide.print(drawn)
        if table.caption:
            console.print(plain(table.caption, "dim"))


def _draw(table: "Table") -> "RichTable":
    from rich import box
    from rich import table as rich

    drawn = rich.Table(title=plain(table.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
    drawn.add_column(plain(table.head[0]), overflow="fold", min_width=_NAME)
    for place, name in enumerate(table.head[1:], 1):
        cells = [plain(name), *(plain(row.cells[place]) for row in table.rows)]
        widest = max(line.cell_len for cell in cells for line in cell.split(allow_blank=True))
        drawn.add_column(cells[0], justify="right", no_wrap=True, min_width=widest)
    for row in table.rows:
        drawn.add_row(*(plain(cell) for cell in row.cells), style="bold" if row.own else None)
    return drawn


def _least_width(drawn: "RichTable") -> int:
    """The width below which cells would be cut; names are folded instead."""
    names = drawn.columns[0]
    others = sum(column.min_width or 0 for column in drawn.columns[1:])
    return (names.min_width or 0) + others + 3 * len(drawn.columns) + 1
