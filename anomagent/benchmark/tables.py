"""Tables with a header: CSV, JSON lines, a JSON list or Parquet, as rows of named values."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from anomagent.benchmark.documents import as_object, check_size, parse_document, read_text, shown
from anomagent.errors import UsageError


@dataclass(frozen=True)
class Row:
    """One row of a table."""

    place: str
    """Where it stands, for messages: "line 3", "entry 3"."""
    values: Mapping[str, object]
    """By column, in lower case; without those that are empty."""


def read_rows(path: Path, columns: Collection[str]) -> list[Row]:
    """The rows of a table, with what they hold of `columns`; its form is known by its content, Parquet by its ending.

    CSV has a header, commas (tabs in a .tsv file) and quotes where values hold them or line ends. Raises `UsageError`
    for what cannot be read, for a column that is there twice, and for a row with too many or too few values.
    """
    if is_parquet(path):
        return _parquet(path, columns)
    text = read_text(path)
    if text.lstrip()[0] in "[{":
        return list(_json(text, path, columns))
    try:
        return list(_csv(text, path, columns))
    except csv.Error as error:
        raise UsageError(f"{path}: is no CSV that can be read ({error}); correct the file") from error


def is_parquet(path: Path) -> bool:
    """Whether a table is read as Parquet."""
    return path.suffix.lower() in (".parquet", ".pq")


def text_in(row: Row, column: str, path: Path) -> str | None:
    """The value of a column as text; None where there is none. Raises `UsageError` for what is no text or number."""
    value = row.values.get(column)
    if isinstance(value, bool) or not isinstance(value, str | int | float | None):
        raise UsageError(f"{path}: {row.place}: the {column} is no text; write it as text")
    return None if value is None else str(value)


def _csv(text: str, path: Path, columns: Collection[str]) -> Iterator[Row]:
    delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
    lines = io.StringIO(text, newline="")
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True, strict=True)
    header = next(line for line in reader if line)
    end = reader.line_num
    for cells in reader:
        place, end = f"line {end + 1}", reader.line_num
        if cells and len(cells) != len(header):
            raise UsageError(
                f"{path}: {place}: {len(cells)} values for {len(header)} columns; quote what holds commas or line ends"
            )
        if cells:
            yield _row(place, header, cells, columns, path)


def _json(text: str, path: Path, columns: Collection[str]) -> Iterator[Row]:
    document = parse_document(text, path)
    for index, row in enumerate(document.items()):
        place = document.place(index)
        try:
            values = as_object(row)
        except ValueError as error:
            raise UsageError(f'{path}: {place}: {error}; a row is an object such as {{"image": "a.png"}}') from error
        yield _row(place, list(values), values.values(), columns, path)


def _parquet(path: Path, columns: Collection[str]) -> list[Row]:
    check_size(path)
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(f"{path}: Parquet needs pyarrow; install it with: pip install 'anomagent[local]'") from error
    try:
        names: list[str] = [name for name in parquet.read_schema(path).names if _column(name) in columns]
        rows: list[dict[str, object]] = parquet.read_table(path, columns=names).to_pylist()
    except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's own errors are among them
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: is no Parquet file that can be read ({reason}); write it anew") from error
    return [_row(f"row {number}", names, row.values(), columns, path) for number, row in enumerate(rows, start=1)]


def _row(place: str, header: Sequence[str], cells: Iterable[object], columns: Collection[str], path: Path) -> Row:
    names = [_column(name) for name in header]
    if twice := next((name for name in names if name in columns and names.count(name) > 1), None):
        raise UsageError(f"{path}: the column {shown(twice)} is there twice; rename one")
    said = zip(names, cells, strict=True)
    return Row(place, {name: cell for name, cell in said if name in columns and not _is_blank(cell)})


def _column(name: str) -> str:
    return name.strip().lower()


def _is_blank(cell: object) -> bool:
    return cell is None or (isinstance(cell, str) and not cell.strip())
