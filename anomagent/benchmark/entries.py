"""One anomaly as a file or a model has it, in any of the benchmark's spellings."""

import re
from collections.abc import Mapping
from typing import cast

from anomagent.benchmark.documents import as_list, as_object, is_unicode, kind_of, shown
from anomagent.state.classic_text import parse_severity
from anomagent.state.findings import Anomaly

_NUMBERING = re.compile(
    r"[\s*_#]*(?:@\s*\d+\s*[.):]?[\s*_]*(?:name[\s*_]*[::])?|(?:\d+\s*[.):][\s*_]*)?name[\s*_]*[::])[\s*_]*",
    re.IGNORECASE,
)
"""A name's list prefix: "@1. Name: ", "@1. ", "1. Name: ", "Name: "."""


def read_entry(value: object) -> Anomaly:
    """The anomaly that a JSON object holds, its texts unchanged but for the name's list prefix and outer white space.

    Keys are known in any order, case and spelling: "Name", "Observed Phenomenon" or "Phenomenon", "Reasoning",
    "Severity Score" or "Severity" (0 = completely implausible, 100 = fully realistic), and our own "objects" and
    "support"; others are not looked at. Raises `ValueError` with the reason where it is no anomaly: nothing missing or
    empty is made up.
    """
    entry = _by_field(as_object(value))
    return Anomaly(
        name=_name(_text(entry, "name")),
        phenomenon=_text(entry, "phenomenon"),
        reasoning=_text(entry, "reasoning"),
        severity=_severity(entry.get("severity")),
        objects=_objects(entry.get("objects")),
        support=_support(entry.get("support")),
    )


def is_entry(value: Mapping[str, object]) -> bool:
    """Whether an object looks like one anomaly, a bad one included."""
    return any(_field(key) in ("phenomenon", "reasoning") for key in value)


def _field(key: str) -> str:
    """A key in its short form: "Observed Phenomenon", "observed_phenomenon" and "phenomenon" are one field."""
    words = " ".join(re.split(r"[\s_-]+", key.strip().lower()))
    return words.removeprefix("observed ").removesuffix(" score")


def _by_field(entry: Mapping[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in entry.items():
        field = _field(key)
        if field in found and found[field] != value:
            raise ValueError(f"it has two different values of {shown(field)}")
        found[field] = value
    return found


def _text(entry: Mapping[str, object], field: str) -> str:
    value = entry.get(field)
    if value is None:
        raise ValueError(f"it has no {field}")
    if not isinstance(value, str):
        raise ValueError(f"its {field} is {kind_of(value)}, not text")
    if not value.strip():
        raise ValueError(f"its {field} is empty")
    if not is_unicode(value):
        raise ValueError(f"its {field} holds half a surrogate pair")
    return value


def _name(text: str) -> str:
    prefix = _NUMBERING.match(text)
    name = text[prefix.end() if prefix else 0 :].strip()
    if not name:
        raise ValueError("its name is nothing but a list prefix")
    return name


def _severity(value: object) -> int:
    match value:
        case None:
            raise ValueError("it has no severity")
        case str():
            return parse_severity(value)
        case bool() | list() | dict():
            raise ValueError(f"its severity is {kind_of(cast(object, value))}")
        case int() | float():
            return _severity_number(value)
        case _:
            raise ValueError("its severity is no number")


def _severity_number(value: int | float) -> int:
    if not 0 <= value <= 100:
        raise ValueError("its severity is not between 0 and 100")
    if 0 < value < 1:
        raise ValueError(f"its severity {value} looks like a part of 1; it is to be between 0 and 100")
    return round(value)


def _objects(value: object) -> list[str]:
    names: list[str] = []
    for name in [] if value is None else as_list(value):
        if not isinstance(name, str) or not is_unicode(name):
            raise ValueError("its objects are no list of names")
        names.append(name)
    return names


def _support(value: object) -> int:
    if value is None:
        return 0
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("its support is no count")
    return value
