"""Tables with a header: CSV, JSON lines, a JSON list or Parquet, as rows of named values."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

from anomagent.benchmark.documents import MOST_BYTES, as_object, check_size, parse_document, read_text, shown
from anomagent.errors import UsageError

MOST_ROWS: Final = 1_000_000
"""Rows of a Parquet file; larger ones are refused."""
_AT_ONCE: Final = 256 << 20
"""Bytes that rows which are read at a time take at most, if every value were as large as its column."""
_FEWEST, _MOST = 64, 4096
"""Rows that are read at a time."""


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
    return list(each_row(path, columns))


def each_row(path: Path, columns: Collection[str]) -> Iterator[Row]:
    """As `read_rows`, one at a time: of Parquet only some are in memory."""
    if is_parquet(path):
        yield from _parquet(path, columns)
        return
    text = read_text(path)
    if text.lstrip()[0] in "[{":
        yield from list(_json(text, path, columns))
        return
    try:
        yield from list(_csv(text, path, columns))
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


def _parquet(path: Path, columns: Collection[str]) -> Iterator[Row]:
    check_size(path)
    try:
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError(f"{path}: Parquet needs pyarrow; install it with: pip install 'anomagent[local]'") from error
    try:
        with parquet.ParquetFile(path) as file:
            names = [name for name in file.schema_arrow.names if _column(name) in columns]
            batches = file.iter_batches(_check_extent(file.metadata, names, path), columns=names)
            for number, row in enumerate((row for batch in batches for row in batch.to_pylist()), start=1):
                yield _row(f"row {number}", names, row.values(), columns, path)
    except (ValueError, OSError, NotImplementedError) as error:  # pyarrow's own errors are among them
        reason = " ".join(str(error).split())
        raise UsageError(f"{path}: is no Parquet file that can be read ({reason}); write it anew") from error


def _check_extent(about: Any, names: Collection[str], path: Path) -> int:
    """How many rows to read at a time. Raises `UsageError` for a file that unpacks to too much: few bytes can be many.

    A value that many rows share is there once, and unpacked for each of them; a column's size bounds that of a value.
    """
    if about.num_rows > MOST_ROWS:
        raise UsageError(f"{path}: {about.num_rows:,} rows, the limit is {MOST_ROWS:,}; split the file")
    groups = [about.row_group(group) for group in range(about.num_row_groups)]
    chunks = [group.column(place) for group in groups for place in range(group.num_columns)]
    sizes = [chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema.split(".")[0] in names]
    if sum(sizes) > MOST_BYTES:
        raise UsageError(
            f"{path}: {sum(sizes) / 1e9:.1f} GB unpacked, the limit is {MOST_BYTES / 1e9:.1f} GB; split the file"
        )
    return max(_FEWEST, min(_MOST, _AT_ONCE // max(1, *sizes, 1)))


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
