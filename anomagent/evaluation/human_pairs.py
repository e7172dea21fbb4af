"""What people say of pairs of anomalies, the same or not, and how far judge and BERTScore agree with them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.documents import shown
from anomagent.benchmark.tables import Row, read_rows
from anomagent.errors import UsageError
from anomagent.evaluation.pairs import Pair

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
    """Verdicts from a table with the columns image, prediction, ground_truth and same; see `read_rows` for its forms.

    Indices count from 0; `same` is 0, 1, true, false, yes or no. Several verdicts on one pair are all kept. Raises
    `UsageError` that names file and line.
    """
    rows = read_rows(path, _COLUMNS)
    for column in _COLUMNS:
        if not any(column in row.values for row in rows):
            raise UsageError(f"{path}: nothing in a column {column!r}; a row for each pair needs {', '.join(_COLUMNS)}")
    return [_pair(row, f"{path}: {row.place}") for row in rows]


def check_human_pairs(humans: Sequence[HumanPair], pairs: Sequence[Pair]) -> None:
    """Raises `UsageError` that names the line of the first pair whose image or index is not in the data."""
    known = {pair.image: pair for pair in pairs}
    for human in humans:
        pair = known.get(human.image)
        if pair is None:
            raise UsageError(f"{human.place}: there is no image {shown(human.image)} in the data; check its name")
        sides = (
            ("prediction", human.prediction, pair.predictions),
            ("ground_truth", human.ground_truth, pair.ground_truth),
        )
        for name, index, side in sides:
            if index >= len(side):
                raise UsageError(
                    f"{human.place}: {shown(human.image)} has no {name} {index}, only {len(side)}; count from 0"
                )


def _pair(row: Row, place: str) -> HumanPair:
    image = row.values.get("image")
    if not isinstance(image, str) or not base_name(image.strip()):
        raise UsageError(f"{place}: the field image must name one")
    said = _text(row, "same")
    same = _VERDICTS.get(said.lower())
    if same is None:
        raise UsageError(f"{place}: the field same must be {', '.join(_VERDICTS)}, not {shown(said)}")
    name = base_name(image.strip())
    return HumanPair(name, _index(row, "prediction", place), _index(row, "ground_truth", place), same, place)


def _index(row: Row, name: str, place: str) -> int:
    text = _text(row, name)
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise UsageError(f"{place}: the field {name} must be an index from 0, not {shown(text)}")
    return int(text)


def _text(row: Row, name: str) -> str:
    return str(row.values.get(name, "")).strip()
