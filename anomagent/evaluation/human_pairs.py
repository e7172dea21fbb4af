"""What people say of pairs of anomalies, the same or not, and how far judge and BERTScore agree with them."""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anomagent.benchmark.annotations import base_name
from anomagent.errors import UsageError
from anomagent.evaluation.pairing import shorten
from anomagent.evaluation.pairs import Pair

LARGEST: Final = 64 * 2**20
"""Bytes of a file of human pairs; a larger one is no such file."""
_COLUMNS: Final = ("image", "prediction", "ground_truth", "same")
_VERDICTS: Final = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}


@dataclass(frozen=True)
class HumanPair:
    """One person's verdict on one pair."""

    image: str
    """Base name."""
    prediction: int
    """Index, from 0."""
    ground_truth: int
    """Index, from 0."""
    same: bool
    place: str
    """File and line, for messages."""


def read_human_pairs(path: Path) -> list[HumanPair]:
    """Verdicts from CSV with a header, or from JSON lines (`.jsonl`, `.json`), with the fields of `_COLUMNS`.

    Indices count from 0; `same` is 0, 1, true, false, yes or no. Several verdicts on one pair are all kept. Raises
    `UsageError` that names file and line.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise UsageError(f"{path} is larger than {LARGEST // 2**20} MiB; give a file of one pair a line")
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"cannot read the human pairs {path}: {reason}; check the path") from error
    rows = _json_rows if path.suffix.lower() in (".jsonl", ".json") else _csv_rows
    return [_pair(row, f"{path}, line {line}") for line, row in rows(text, path)]


def check_human_pairs(humans: Sequence[HumanPair], pairs: Sequence[Pair]) -> None:
    """Raises `UsageError` that names the line of the first pair whose image or index is not in the data."""
    known = {pair.image: pair for pair in pairs}
    for human in humans:
        pair = known.get(human.image)
        if pair is None:
            raise UsageError(f"{human.place}: there is no image {shorten(human.image)} in the data; check its name")
        sides = (
            ("prediction", human.prediction, pair.predictions),
            ("ground_truth", human.ground_truth, pair.ground_truth),
        )
        for name, index, side in sides:
            if index >= len(side):
                raise UsageError(
                    f"{human.place}: {shorten(human.image)} has no {name} {index}, only {len(side)}; count from 0"
                )


def _csv_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    reader = csv.DictReader(io.StringIO(text, newline=""), strict=True)
    try:
        missing = [name for name in _COLUMNS if name not in (reader.fieldnames or ())]
        if missing:
            raise UsageError(f"{path}, line 1: no column {missing[0]!r}; the header must name {', '.join(_COLUMNS)}")
        for row in reader:
            if len(row) > len(reader.fieldnames or ()):
                raise UsageError(f"{path}, line {reader.line_num}: more cells than columns; quote cells with commas")
            yield reader.line_num, row
    except csv.Error as error:
        # The reader counts lines that it could read.
        raise UsageError(f"{path}, line {reader.line_num + 1}: not CSV ({error}); write one pair a line") from error


def _json_rows(text: str, path: Path) -> Iterator[tuple[int, Mapping[str, Any]]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}, line {number}: not JSON; write one object a line") from error
        if not isinstance(row, dict):
            raise UsageError(f"{path}, line {number}: not an object; write one with {', '.join(_COLUMNS)}")
        yield number, row


def _pair(row: Mapping[str, Any], place: str) -> HumanPair:
    image = row.get("image")
    if not isinstance(image, str) or not base_name(image.strip()):
        raise UsageError(f"{place}: the field image must name one")
    same = _VERDICTS.get(str(row.get("same")).strip().lower())
    if same is None:
        raise UsageError(f"{place}: the field same must be {', '.join(_VERDICTS)}, not {str(row.get('same'))[:40]!r}")
    name = base_name(image.strip())
    return HumanPair(name, _index(row, "prediction", place), _index(row, "ground_truth", place), same, place)


def _index(row: Mapping[str, Any], name: str, place: str) -> int:
    text = str(row.get(name)).strip()
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"{place}: the field {name} must be an index from 0, not {text[:40]!r}")
    return int(text)
