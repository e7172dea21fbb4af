"""Manifests in every form of table."""

import json
import sys
from pathlib import Path

import pytest

from anomagent.benchmark import tables
from anomagent.benchmark.manifests import read_manifest, read_sources
from anomagent.errors import UsageError

ROWS = [
    {"image": "x/a.png", "prompt": 'a "red", round\nchair', "source": "Flux", "id": "7"},
    {"image": "x/b.png", "source": "SD3.5"},
]
CSV = 'Image,prompt,source,id,other\r\nx/a.png,"a ""red"", round\nchair",Flux,7,1\r\n\r\nx/b.png,,SD3.5,,2\r\n'


def written(tmp_path: Path, name: str) -> Path:
    path = tmp_path / name
    rows = [{**ROWS[0], "id": 7, "other": [1]}, {**ROWS[1], "prompt": None, "id": ""}]
    if name.endswith("parquet"):
        import pyarrow
        from pyarrow import parquet

        table = pyarrow.Table.from_pylist([row | {"other": b"1"} for row in ROWS])
        parquet.write_table(table, path)
    elif name.endswith("sv"):
        text = CSV if name.endswith("csv") else CSV.replace("prompt,source,id", "prompt\tsource\tid")
        path.write_bytes(b"\xef\xbb\xbf" + text.encode())
    else:
        path.write_text("\n".join(map(json.dumps, rows)) if name.endswith("l") else json.dumps(rows))
    return path


@pytest.mark.parametrize("name", ["m.csv", "m.jsonl", "m.json", "m.parquet"])
def test_every_form_gives_the_same_rows(tmp_path: Path, name: str) -> None:
    assert read_manifest(written(tmp_path, name), ["source"]) == ROWS


def test_tabs(tmp_path: Path) -> None:
    (tmp_path / "m.tsv").write_text("image\tprompt\na.png\tred, round\n")
    assert read_manifest(tmp_path / "m.tsv") == [{"image": "a.png", "prompt": "red, round"}]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("image,source\na.png\n", "line 2: 1 values for 2 columns"),
        ('image,prompt\na.png,"two\nlines"\nb.png,x,y\n', "line 4: 3 values"),
        ("image,source\na.png,\n", "line 2: no source"),
        ("file,source\na.png,x\n", "line 2: no image"),
        ("image,Source,source\na.png,x,y\n", "'source' is there twice"),
        ("image,source\na.png,x\nb.png,x\na.png,y\n", r"line 2 and line 4 .* 'a\.png'"),
        ('image,source\na.png,"x\n', "is no CSV"),
        ("image,source\n/,x\n", "is no name of an image"),
        ('[{"image": "a.png", "source": ["x"]}]', "entry 1: the source is no text"),
        ('[{"image": "a.png", "source": true}]', "entry 1: the source is no text"),
        ('["a.png"]', "entry 1: it is text, not an object"),
        ('[{"image": "a.png", "image": "b.png"}]', "twice"),
        ("", "is empty"),
    ],
)
def test_a_manifest_that_is_none(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "m"
    path.write_text(text)
    with pytest.raises(UsageError, match=message) as caught:
        read_manifest(path, ["source"])
    assert "\n" not in str(caught.value)


def test_the_same_row_twice_counts_once(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("image,source\na.png,x\na.png,x\n")
    assert read_manifest(tmp_path / "m.csv") == [{"image": "a.png", "source": "x"}]


def test_parquet_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = written(tmp_path, "m.parquet")
    (tmp_path / "bad.parquet").write_text("image")
    with pytest.raises(UsageError, match="is no Parquet file"):
        read_manifest(tmp_path / "bad.parquet")
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(UsageError, match=r"pip install 'anomagent\[local\]'"):
        read_manifest(path)


def test_sources_by_base_name(tmp_path: Path) -> None:
    path = tmp_path / "m.csv"
    path.write_text("image,source,generator\nx/a.png,Flux,\ny/a.png,Flux,\nb.png,,SD3.5\n")
    assert read_sources(path) == {"a.png": "Flux", "b.png": "SD3.5"}
    path.write_text("image,source\nx/a.png,Flux\ny/a.png,SD3.5\n")
    with pytest.raises(UsageError, match=r"two images 'a\.png' have different sources"):
        read_sources(path)
    path.write_text("image,prompt\na.png,x\n")
    with pytest.raises(UsageError, match="has no source"):
        read_sources(path)


def test_parquet_that_unpacks_to_too_much(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    path = tmp_path / "m.parquet"
    parquet.write_table(arrow.table({"image": ["a.png"] * 1000, "prompt": ["A dog"] * 1000}), path)
    assert read_manifest(path) == [{"image": "a.png", "prompt": "A dog"}]  # equal rows are one
    monkeypatch.setattr(tables, "MOST_BYTES", 10)
    with pytest.raises(UsageError, match=r"GB unpacked, the limit is"):
        read_manifest(path)
    monkeypatch.setattr(tables, "MOST_ROWS", 999)
    with pytest.raises(UsageError, match=r"m\.parquet: 1,000 rows, the limit is 999; split the file"):
        read_manifest(path)


def test_parquet_is_read_some_rows_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    names = [f"{number}.png" for number in range(1000)]
    parquet.write_table(arrow.table({"image": names}), tmp_path / "m.parquet", row_group_size=300)
    monkeypatch.setattr(tables, "_AT_ONCE", 1)
    rows = tables.each_row(tmp_path / "m.parquet", ("image",))
    assert [(row.place, row.values["image"]) for row in rows] == [
        (f"row {number}", name) for number, name in enumerate(names, start=1)
    ]
