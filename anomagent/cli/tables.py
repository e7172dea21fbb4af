"""Tables of numbers on a terminal."""

from typing import TYPE_CHECKING

from anomagent.cli.console import plain, stdout

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anomagent.report.tables import Table

_NAME = 10
"""Characters that the column of names has at least, however narrow the terminal is."""


def print_tables(facts: "Sequence[str]", tables: "Iterable[Table]") -> None:
    """Print facts and tables; names that somebody else wrote are printed letter by letter."""
    from rich import box
    from rich import table as rich

    console = stdout()
    for line in facts:
        console.print(plain(line, "dim"))
    for table in tables:
        drawn = rich.Table(title=plain(table.title, "bold"), title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False)
        drawn.add_column(table.head[0], overflow="fold", min_width=_NAME)
        for name in table.head[1:]:
            drawn.add_column(name, justify="right", no_wrap=True)
        for row in table.rows:
            drawn.add_row(*(plain(cell) for cell in row.cells), style="bold" if row.own else None)
        console.print(drawn)
        if table.caption:
            console.print(plain(table.caption, "dim"))
