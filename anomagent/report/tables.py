"""Tables of numbers, described once, drawn by the terminal and by pages."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """A row of a table; `own` is the user's own, set off from published ones."""

    cells: Sequence[str]
    own: bool = False


@dataclass(frozen=True)
class Table:
    """A table of numbers: the first column names the row."""

    title: str
    head: Sequence[str]
    rows: Sequence[Row]
    caption: str = ""
