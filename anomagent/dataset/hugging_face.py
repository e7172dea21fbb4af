# pyright: basic
"""A data set as Hugging Face's `datasets` reads it: Parquet files with images, and a card with the facts."""

import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final, Literal

from anomagent.dataset.data_card import Contents, card_text
from anomagent.dataset.places import opened, sync
from anomagent.dataset.shapes import KEYS, json_text, readable
from anomagent.dataset.stats import stats_of
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly, Status
from anomagent.store import Workspace
from anomagent.store.annotations import Key, Listed, NewestAnalyses, Part
from anomagent.store.dataset_facts import read_picture

SHARD_BYTES: Final = 500_000_000
"""A file is closed and the next one begun once it holds so much."""
_GROUP_BYTES: Final = 32_000_000
"""Rows are written together once they hold so much: what is in memory at a time."""
_GROUP_ROWS: Final = 500


@dataclass(frozen=True)
class Card:
    """What the folder holds beside the findings."""

    images: Literal["bytes", "paths"] = "bytes"
    """The images themselves, or where they lie on this machine, which no other machine can use."""
    license: str | None = None
    """Under which the data set is published; the card asks for it where there is none."""
    shard_bytes: int = SHARD_BYTES


def write_hugging_face(
    workspace: Workspace,
    newest: NewestAnalyses,
    folder: Path,
    parts: Mapping[str, Part],
    statuses: Collection[Status],
    key: Key,
    card: Card,
    out: Path,
) -> None:
    """Write data/PART-00000-of-0000N.parquet and README.md into an empty folder; with a split, split.json as well.

    Raises `UsageError` without pyarrow, for an image whose copy is gone, and for an anomaly with an empty text.
    """
    try:
        import_module("pyarrow")
    except ImportError as error:
        raise UsageError(f"{out}: Parquet needs pyarrow; install it with: pip install 'anomagent[local]'") from error
    (folder / "data").mkdir()
    rows: dict[str, int] = {}
    for name, part in parts.items():
        shards = _Shards(folder / "data", name, card.shard_bytes)
        for one in newest.listed(statuses, part):
            found = readable(newest.anomalies(one.id), one.image, out)
            shards.add(*_row(workspace, newest, one, KEYS[key](one), found, card, out))
        rows[name] = shards.close()
    if None not in parts.values():
        with opened(folder / "split.json") as stream:
            named = ((name, [KEYS[key](one) for one in newest.listed(statuses, part)]) for name, part in parts.items())
            stream.writelines(json_text(named))
    stats = stats_of(newest, None, None, whole=False)
    with opened(folder / "README.md") as stream:
        stream.write(card_text(stats, Contents(rows, newest.accepted, card.images == "bytes", card.license)))


def _row(
    workspace: Workspace,
    newest: NewestAnalyses,
    listed: Listed,
    name: str,
    anomalies: list[Anomaly],
    card: Card,
    out: Path,
) -> tuple[dict[str, Any], int]:
    """A row, and about how many bytes it takes."""
    about = read_picture(newest, listed.sha256)
    path = workspace.path / about.pop("path")
    image: dict[str, Any] = {"bytes": None, "path": str(path)}
    try:
        if card.images == "bytes":
            image = {"bytes": path.read_bytes(), "path": name}
        elif not path.is_file():
            raise FileNotFoundError(2, "No such file")
    except OSError as error:
        raise UsageError(
            f"{out}: not written: the copy of {listed.image!r} cannot be read ({path}: {error.strerror}); "
            "analyse the image again"
        ) from error
    said = [anomaly.model_dump() for anomaly in anomalies]
    description = newest.description(listed.id)
    row = {
        "image": image,
        "name": name,
        "sha256": listed.sha256,
        **about,
        "label": _label(about["prompt"], description),
        "description": description,
        "status": listed.status,
        "review": "open" if newest.is_open(listed.id) else "complete",
        "anomalies": said,
    }
    texts = sum(len(one["name"]) + len(one["phenomenon"]) + len(one["reasoning"]) for one in said)
    return row, len(image["bytes"] or "") + texts


def _label(prompt: str | None, description: str | None) -> str | None:
    """What is known: real images come with a description, generated ones with a prompt."""
    if description is not None:
        return "real"
    return None if prompt is None else "ai"


class _Shards:
    """Parquet files of one part, each of about the same size; they have their final names once all are written."""

    def __init__(self, folder: Path, part: str, most: int) -> None:
        self._folder, self._part, self._most = folder, part, most
        self._files: list[Path] = []
        self._writer: Any = None
        self._rows: list[dict[str, Any]] = []
        self._bytes = self._written = self._total = 0

    def add(self, row: dict[str, Any], size: int) -> None:
        self._rows.append(row)
        self._bytes += size
        self._total += 1
        if self._bytes >= min(_GROUP_BYTES, self._most) or len(self._rows) == _GROUP_ROWS:
            self._flush()

    def close(self) -> int:
        """Finish, and return how many rows there are. A part without rows has a file all the same."""
        if self._rows or not self._files:
            self._flush()
        if self._writer:
            self._writer.close()
        for number, file in enumerate(self._files):
            sync(file)  # some disks only say here that they are full
            file.rename(self._folder / f"{self._part}-{number:05d}-of-{len(self._files):05d}.parquet")
        return self._total

    def _flush(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        if self._writer is None:
            self._files.append(self._folder / f"{self._part}.{len(self._files)}.part")
            self._writer = pq.ParquetWriter(self._files[-1], schema(), compression="zstd")
            self._written = 0
        self._writer.write_table(pa.Table.from_pylist(self._rows, schema=schema()))
        self._written += self._bytes
        self._rows, self._bytes = [], 0
        if self._written >= self._most:
            self._writer.close()
            self._writer = None


_ANOMALY: Final = {"name": "string", "phenomenon": "string", "reasoning": "string", "severity": "int32"}
_IMAGE: Final = {
    "name": "string",
    "sha256": "string",
    "width": "int32",
    "height": "int32",
    "source": "string",
    "prompt": "string",
    "label": "string",
    "description": "string",
    "status": "string",
    "review": "string",
}


def schema() -> Any:
    """The Parquet schema, with what `datasets` wants to know of the columns in its metadata."""
    import pyarrow as pa

    anomaly = {**_ANOMALY, "objects": pa.list_(pa.string()), "support": "int32"}
    columns = {
        "image": pa.struct({"bytes": pa.binary(), "path": pa.string()}),
        **_IMAGE,
        "anomalies": pa.list_(pa.struct(_typed(anomaly))),
    }
    features = {"info": {"features": _features()}}
    return pa.schema(_typed(columns), metadata={"huggingface": json.dumps(features)})


def _typed(columns: Mapping[str, Any]) -> list[tuple[str, Any]]:
    import pyarrow as pa

    return [(name, pa.type_for_alias(kind) if isinstance(kind, str) else kind) for name, kind in columns.items()]


def _features() -> dict[str, Any]:
    def value(kind: str) -> dict[str, Any]:
        return {"dtype": kind, "_type": "Value"}

    anomaly = {name: value(kind) for name, kind in _ANOMALY.items()}
    anomaly |= {"objects": [value("string")], "support": value("int32")}
    columns = {name: value(kind) for name, kind in _IMAGE.items()}
    # A list is written as JSON's list: older and newer versions of `datasets` both know it.
    return {"image": {"_type": "Image"}, **columns, "anomalies": [anomaly]}
