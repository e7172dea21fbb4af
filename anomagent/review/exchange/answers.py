"""Answers as files hold them: checked one by one, with the place that a message names, and known by a lasting id."""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

from pydantic import ValidationError

from anomagent.benchmark.documents import shown
from anomagent.errors import UsageError
from anomagent.review.names import spelled_before, tidy_name
from anomagent.state.reviews import Answer
from anomagent.store.database import iso

_LONGEST_SECONDS: Final = 86_400
_LARGEST_ID: Final = 2**63 - 1
_SHOWN: Final[Mapping[int | str, str]] = {"created": "moment"}
_ID: Final = re.compile(r"[A-Za-z0-9_-]{8,64}")


@dataclass(frozen=True)
class Said:
    """One answer in a file."""

    place: str
    """Where it stands, for messages."""
    content: str
    """The candidate's content as the file has it; see `ExchangedCandidate.content`."""
    answer: Answer
    row: int | None = None
    """In which order answers arrived where they were given; those without it follow, in the order of their moments."""
    exact: bool = False
    """Whether it is just what was exported; else its id follows from what the file says."""


@dataclass(frozen=True)
class DrawnBox:
    """A box that somebody drew around a candidate's object, in shares of the image, 0 to 1."""

    said: Said
    x0: float
    y0: float
    x1: float
    y1: float


@dataclass
class Sheet:
    """What a file holds."""

    said: list[Said] = field(default_factory=list[Said])
    boxes: list[DrawnBox] = field(default_factory=list[DrawnBox])
    passed: Counter[str] = field(default_factory=Counter[str])
    """What is no answer, by why: skipped tasks, drafts, annotations without a verdict."""


@dataclass(frozen=True)
class Names:
    """What people are called here."""

    anyone: str | None = None
    """Whoever the file does not name."""
    by_theirs: Mapping[str, str] = field(default_factory=dict[str, str])
    """Our name for theirs; others keep theirs."""
    here: frozenset[str] = frozenset()
    """Who has answered here."""

    @classmethod
    def of(cls, options: list[str]) -> "Names":
        """From `NAME` and `THEIRS=NAME`. Raises `ValueError` for two names of one and for an empty one."""
        pairs = [
            (theirs, name) if equals else ("", theirs) for theirs, equals, name in (o.partition("=") for o in options)
        ]
        if empty := [option for option, (_, name) in zip(options, pairs, strict=True) if not name.strip()]:
            raise ValueError(f"{empty[0]!r} names nobody; write NAME or THEIRS=NAME")
        names = dict(pairs)
        if len(names) < len(pairs):
            raise ValueError("one person is named twice")
        return cls(names.pop("", None), names)

    def name_of(self, theirs: str | None) -> str:
        """The name, tidied.

        Raises `ValueError` where nobody is named, for what is no name, and for one that differs from a name that is
        here by its case alone, unless the user says that they are two.
        """
        name = self.anyone if theirs is None else self.by_theirs.get(theirs, theirs)
        if name is None:
            raise ValueError("it does not say who answered; give --annotator NAME")
        try:
            name = tidy_name(name)
        except UsageError as error:
            raise ValueError(f"the annotator {shown(name)} cannot be: {error}") from error
        if self.by_theirs.get(name) != name and (before := spelled_before(name, self.here)):
            one, two = shown(f"{theirs or name}={before}"), shown(f"{name}={name}")
            raise ValueError(
                f"{shown(name)} is spelled {shown(before)} here; give --annotator {one}, or {two} if they are two"
            )
        return name


def make_answer(**values: Any) -> Answer:
    """An answer of checked values; raises `ValueError` with the first thing that is wrong, in one line."""
    try:
        return Answer(**values)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        what = first["loc"][0] if first["loc"] else "answer"
        why = first["msg"].removeprefix("Value error, ")
        raise ValueError(f"the {_SHOWN.get(what, what)} {shown(str(first['input']))} cannot be: {why}") from None


def derived_id(*parts: object) -> str:
    """An answer's id from what a file says of it: the same file gives the same ids."""
    return hashlib.sha256(json.dumps(parts, default=str).encode()).hexdigest()[:32]


def number_of(value: object, what: str) -> int:
    """A row's number, as a number or digits. Raises `ValueError`."""
    text = str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""
    if not (text.isascii() and text.isdecimal() and len(text) < 20 and int(text) <= _LARGEST_ID):
        raise ValueError(f"it has no number of its {what}; take a file that `anomagent review export` wrote")
    return int(text)


def id_of(value: object) -> str | None:
    """Another tool's id where it can be an answer's id."""
    return value if isinstance(value, str) and _ID.fullmatch(value) else None


def content_of(value: object) -> str:
    """The candidate's content. Raises `ValueError`."""
    if not isinstance(value, str) or not value:
        raise ValueError(
            "it has no content to check the candidate by; take a file that `anomagent review export` wrote"
        )
    return value


def text_of(value: object, what: str) -> str | None:
    """A text or nothing. Raises `ValueError` for anything else, and for half a surrogate pair."""
    if value is not None and not isinstance(value, str):
        raise ValueError(f"the {what} is no text")
    if value is not None and any("\ud800" <= letter <= "\udfff" for letter in value):
        raise ValueError(f"the {what} holds half a surrogate pair")
    return value


def moment_of(value: object) -> str | None:
    """A moment, ISO 8601, as the tables write it: UTC. Without a zone it is UTC. Raises `ValueError`."""
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value if isinstance(value, str) else "")
        return iso(moment if moment.tzinfo else moment.replace(tzinfo=UTC))
    except (ValueError, OverflowError):
        raise ValueError(f"{shown(str(value))} is no moment as ISO 8601 writes it") from None


def seconds_of(value: object, sheet: Sheet) -> float | None:
    """Seconds or nothing; a tab that was open for more than a day tells no time. Raises `ValueError`."""
    try:
        seconds = None if value is None or isinstance(value, bool) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        raise ValueError(f"{shown(str(value))} is no number of seconds") from None
    if seconds is not None and seconds > _LONGEST_SECONDS:
        sheet.passed["times over a day"] += 1
        return None
    return seconds
