"""Boxes of objects, as a manifest gives them: by name, in pixels of the upright image."""

import json
import math
from typing import Final, NamedTuple, cast

from anomagent.benchmark.documents import is_unicode, kind_of, parse_json, shown

MOST_BOXES: Final = 1_000
"""Boxes of one image."""
_LONGEST_NAME: Final = 500


class ObjectBox(NamedTuple):
    """Where an object is, in pixels of the upright image; (x0, y0) is its upper left corner."""

    object: str
    x0: float
    y0: float
    x1: float
    y1: float


Boxes = tuple[ObjectBox, ...]


def read_boxes(value: object) -> Boxes:
    """The boxes in `{"object": [x0, y0, x1, y1]}`, which may also stand as JSON text or as Parquet's list of pairs.

    An object without a box (null) is left out: Parquet gives every row the names of all. Raises `ValueError` with the
    reason for anything else, and for a box without an inside.
    """
    if isinstance(value, str):
        value = parse_json(value)
    pairs = _pairs(value)
    if len(pairs) > MOST_BOXES:
        raise ValueError(f"it has {len(pairs):,} boxes, the limit is {MOST_BOXES:,}")
    boxes = tuple(_box(name, corners) for name, corners in pairs if corners is not None)
    if len({box.object for box in boxes}) < len(boxes):
        raise ValueError("an object is there twice; number the names")
    return boxes


def boxes_json(boxes: Boxes) -> str:
    """The boxes as `read_boxes` reads them."""
    return json.dumps({box.object: box[1:] for box in boxes}, ensure_ascii=False)


def _pairs(value: object) -> list[tuple[object, object]]:
    if isinstance(value, dict):
        return list(cast(dict[object, object], value).items())
    entries: list[object] = cast(list[object], value) if isinstance(value, list) else [value]
    if all(map(_is_pair, entries)):
        return cast(list[tuple[object, object]], entries)
    raise ValueError(f'it is {kind_of(cast(object, value))}, not boxes such as {{"chair": [0, 0, 20, 30]}}')


def _is_pair(value: object) -> bool:
    return isinstance(value, tuple) and len(cast(tuple[object, ...], value)) == 2


def _box(name: object, corners: object) -> ObjectBox:
    if not isinstance(name, str) or not name.strip() or len(name) > _LONGEST_NAME or not is_unicode(name):
        raise ValueError(f"{shown(str(name))} is no name of an object")
    numbers = cast(list[object], corners) if isinstance(corners, list | tuple) else []
    if len(numbers) != 4 or not all(map(_is_number, numbers)):
        raise ValueError(f"the box of {shown(name)} is not four numbers x0, y0, x1, y1")
    x0, y0, x1, y1 = (float(cast(float, number)) for number in numbers)
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise ValueError(f"the box of {shown(name)} has no inside: x0 < x1 and y0 < y1 are needed, none below 0")
    return ObjectBox(name, x0, y0, x1, y1)


def _is_number(value: object) -> bool:
    if not isinstance(value, int | float) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False
