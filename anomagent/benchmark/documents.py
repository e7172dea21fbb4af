"""Files that somebody else wrote, as text and as JSON: bounded, strict, and refused with the reason."""

import json
import math
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn, cast

from anomagent.errors import UsageError

MOST_BYTES = 2_000_000_000
"""Larger files are refused without being read."""
_LONGEST_SHOWN = 80


@dataclass(frozen=True)
class Document:
    """What a JSON or JSON lines file holds."""

    value: object
    """The JSON value; of JSON lines, the list of the lines' values."""
    lines: tuple[int, ...] | None = None
    """JSON lines only: the line of each value, from 1."""

    def items(self) -> list[object]:
        """The items of a list; any other value is one item."""
        value = self.value
        return cast(list[object], value) if isinstance(value, list) else [value]

    def place(self, index: int) -> str:
        """Where item `index` stands, for messages."""
        return f"line {self.lines[index]}" if self.lines else f"entry {index + 1}"


def check_size(path: Path) -> None:
    """Raises `UsageError` for anything but a regular file of at most `MOST_BYTES`."""
    try:
        about = path.stat()
    except FileNotFoundError:
        raise UsageError(f"{path}: no such file; check the path") from None
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read ({error}); check the path and its permissions") from error
    if not stat.S_ISREG(about.st_mode):
        raise UsageError(f"{path}: is a folder or no regular file; give a file")
    if about.st_size > MOST_BYTES:
        raise UsageError(
            f"{path}: {about.st_size / 1e9:.1f} GB, the limit is {MOST_BYTES / 1e9:.1f} GB; split the file"
        )


def read_text(path: Path) -> str:
    """The text of a UTF-8 file without its byte order mark. Raises `UsageError`, also for a file that holds nothing."""
    check_size(path)
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: is not UTF-8 text (byte {error.start}); save it as UTF-8") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror}); check its permissions") from error
    if not text.strip():
        raise UsageError(f"{path}: is empty; give a file that holds something")
    return text


def read_document(path: Path) -> Document:
    """The JSON or JSON lines of a file, told apart by content. Raises `UsageError`, see `parse_json`."""
    return parse_document(read_text(path), path)


def parse_document(text: str, path: Path) -> Document:
    """The JSON or JSON lines in `text`, which came from `path`. Raises `UsageError`, see `parse_json`."""
    try:
        return _lines(text) if _is_lines(text) else Document(parse_json(text))
    except ValueError as error:
        raise UsageError(f"{path}: {error}; correct the file") from error


def parse_json(text: str) -> object:
    """The JSON value of `text`.

    Raises `ValueError` with the reason in one line: no JSON (with line and column), nested too deeply, a number that is
    none (NaN, Infinity), or a key that stands twice in one object: neither of the two is taken silently.
    """
    try:
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_no_number, parse_float=_finite)
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON (line {error.lineno}, column {error.colno}: {error.msg})") from error
    except RecursionError as error:
        raise ValueError("nested too deeply") from error


def as_object(value: object) -> dict[str, object]:
    """`value` as a JSON object. Raises `ValueError` for anything else."""
    if not isinstance(value, dict):
        raise ValueError(f"it is {kind_of(value)}, not an object")
    return cast(dict[str, object], value)


def as_list(value: object) -> list[object]:
    """`value` as a JSON list. Raises `ValueError` for anything else."""
    if not isinstance(value, list):
        raise ValueError(f"it is {kind_of(value)}, not a list")
    return cast(list[object], value)


def kind_of(value: object) -> str:
    """What a JSON value is, in words."""
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case int() | float():
            return "a number"
        case str():
            return "text"
        case list():
            return "a list"
        case _:
            return "an object"


def shown(text: str) -> str:
    """`text` as a message may quote it: short, on one line, without control characters."""
    return repr(text if len(text) <= _LONGEST_SHOWN else text[: _LONGEST_SHOWN - 1] + "…")


def is_unicode(text: str) -> bool:
    """Whether `text` can be written at all: JSON's escapes can spell half a surrogate pair."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def _is_lines(text: str) -> bool:
    """Whether the first line is an object of its own and others follow."""
    first, _, rest = text.strip().partition("\n")
    if not rest:
        return False
    try:
        return isinstance(parse_json(first), dict)
    except ValueError:
        return False


def _lines(text: str) -> Document:
    """Lines end at line feeds alone: JSON strings may hold the other characters that Python takes for line ends."""
    values: list[object] = []
    numbers: list[int] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                values.append(parse_json(line))
            except ValueError as error:
                raise ValueError(f"line {number}: {error}") from error
            numbers.append(number)
    return Document(values, tuple(numbers))


def _unique(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        twice = next(key for key, _ in pairs if key in seen or seen.add(key))
        raise ValueError(f"the key {shown(twice)} stands twice in one object")
    return found


def _no_number(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number")


def _finite(digits: str) -> float:
    number = float(digits)
    if not math.isfinite(number):
        raise ValueError(f"{shown(digits)} is no number that can be held")
    return number
