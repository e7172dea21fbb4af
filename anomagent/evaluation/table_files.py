"""Tables as CSV or Parquet, written whole or not at all, row by row however many there are."""

import csv
from collections.abc import Iterable, Mapping
from importlib import import_module
from itertools import islice
from pathlib import Path
from typing import Any, Final, Literal

from anomagent.benchmark.files import whole_file
from anomagent.errors import UsageError

Form = Literal["csv", "parquet"]

FORMULA_MARKS: Final = ("=", "+", "-", "@", "\t", "\r")
"""A text that begins with one of these is a formula to a spreadsheet, which may run it."""

_ROWS_AT_ONCE: Final = 10_000


def write_table(
    columns: Mapping[str, type], rows: Iterable[tuple[Any, ...]], file: Path, form: Form | None = None
) -> None:
    """Write rows of str, int, float, bool or None cells under `columns` (name to type) to `file`.

    `form` None goes by the suffix. CSV: UTF-8, None is an empty cell, and text that begins like a formula
    (`FORMULA_MARKS`) gets an apostrophe in front; numbers and Parquet are as they are. Raises `UsageError` for another
    suffix, where Parquet needs packages that are not there, and where the file cannot be written.
    """
    write = {"csv": _write_csv, "parquet": _write_parquet}[form or _form_of(file)]
    try:
        with whole_file(file) as unfinished:
            write(columns, rows, unfinished)
    except OSError as error:
        raise UsageError(f"cannot write {file}: {error.strerror or error}; choose another file") from error


def _form_of(file: Path) -> Form:
    match file.suffix.lower():
        case ".csv":
            return "csv"
        case ".parquet":
            return "parquet"
        case suffix:
            raise UsageError(f"cannot tell the form of {file} by {suffix!r}; name it .csv or .parquet")


def _write_csv(columns: Mapping[str, type], rows: Iterable[tuple[Any, ...]], file: Path) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(columns)
        writer.writerows([_inert(_encodable(cell)) for cell in row] for row in rows)


def _write_parquet(columns: Mapping[str, type], rows: Iterable[tuple[Any, ...]], file: Path) -> None:
    try:
        arrow: Any = import_module("pyarrow")
        parquet: Any = import_module("pyarrow.parquet")
    except ImportError as error:
        raise UsageError("Parquet needs more packages: pip install 'anomagent[local]', or write .csv") from error
    types = {str: arrow.string(), int: arrow.int64(), float: arrow.float64(), bool: arrow.bool_()}
    schema = arrow.schema([(name, types[kind]) for name, kind in columns.items()])
    with parquet.ParquetWriter(file, schema) as writer:
        remaining = iter(rows)
        while batch := list(islice(remaining, _ROWS_AT_ONCE)):
            cells = zip(*batch, strict=True)
            arrays = [
                arrow.array([_encodable(cell) for cell in column], field.type)
                for column, field in zip(cells, schema, strict=True)
            ]
            writer.write_table(arrow.Table.from_arrays(arrays, schema=schema))


def _encodable(cell: Any) -> Any:
    """Half a surrogate pair, which JSON can smuggle in and UTF-8 cannot hold, as its escape."""
    return cell.encode("utf-8", "backslashreplace").decode() if isinstance(cell, str) else cell


def _inert(cell: Any) -> Any:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(FORMULA_MARKS) else cell
