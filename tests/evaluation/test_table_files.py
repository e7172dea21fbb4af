import csv
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as parquet
import pytest

from anomagent.errors import UsageError
from anomagent.evaluation import table_files
from anomagent.evaluation.table_files import write_table

COLUMNS: dict[str, type] = {"image": str, "index": int, "similarity": float, "counted": bool}
ROWS: list[tuple[Any, ...]] = [('a, "b"\n.png', -1, -0.5, True), ("Ü", None, None, False), (None, 3, 0.1 + 0.2, True)]


def read_csv(file: Path) -> list[list[str]]:
    with file.open(encoding="utf-8", newline="") as stream:
        return list(csv.reader(stream))


def test_csv(tmp_path: Path) -> None:
    write_table(COLUMNS, ROWS, tmp_path / "t.csv")
    assert read_csv(tmp_path / "t.csv") == [
        ["image", "index", "similarity", "counted"],
        ['a, "b"\n.png', "-1", "-0.5", "True"],
        ["Ü", "", "", "False"],
        ["", "3", "0.30000000000000004", "True"],
    ]


def test_parquet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table_files, "_ROWS_AT_ONCE", 2)
    write_table(COLUMNS, iter(ROWS), tmp_path / "t.PARQUET")
    table = parquet.read_table(tmp_path / "t.PARQUET")
    assert [tuple(row.values()) for row in table.to_pylist()] == ROWS
    assert [str(field.type) for field in table.schema] == ["string", "int64", "double", "bool"]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_no_rows_make_a_table_with_columns(tmp_path: Path, form: Any) -> None:
    write_table(COLUMNS, [], tmp_path / "t.data", form)
    read = read_csv(tmp_path / "t.data")[0] if form == "csv" else parquet.read_table(tmp_path / "t.data").column_names
    assert read == list(COLUMNS)


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@1. Name", "\t=1", "\r=1"])
def test_a_formula_is_disarmed_in_csv_and_kept_in_parquet(tmp_path: Path, text: str) -> None:
    for suffix in ("csv", "parquet"):
        write_table({"text": str}, [(text,)], tmp_path / f"t.{suffix}")
    assert read_csv(tmp_path / "t.csv")[1] == [f"'{text}"]
    assert parquet.read_table(tmp_path / "t.parquet").to_pylist() == [{"text": text}]


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_half_a_surrogate_pair_is_written_as_its_escape(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t.{suffix}"
    write_table({"text": str}, [("a\ud800",)], file)
    assert (read_csv(file)[1:] if suffix == "csv" else parquet.read_table(file)["text"].to_pylist()) in (
        [["a\\ud800"]],
        ["a\\ud800"],
    )


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_an_interrupted_table_leaves_the_old_one_and_nothing_else(tmp_path: Path, suffix: str) -> None:
    file = tmp_path / f"t.{suffix}"
    file.write_text("old")

    def rows() -> Iterator[tuple[Any, ...]]:
        yield ROWS[0]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_table(COLUMNS, rows(), file)
    assert [path.name for path in tmp_path.iterdir()] == [file.name]
    assert file.read_text() == "old"


def test_what_cannot_be_written_is_said_in_one_line(tmp_path: Path) -> None:
    for name, message in (("none/t.csv", "cannot write .*: No such file"), ("t.xlsx", r"by '\.xlsx'; name it \.csv")):
        with pytest.raises(UsageError, match=message):
            write_table(COLUMNS, ROWS, tmp_path / name)


def test_parquet_without_pyarrow_says_what_to_install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(table_files, "import_module", missing)
    with pytest.raises(UsageError, match=r"pip install 'anomagent\[local\]', or write \.csv"):
        write_table(COLUMNS, ROWS, tmp_path / "t.parquet")
    assert list(tmp_path.iterdir()) == []
