"""Marks: what other tools do not keep of an answer travels where they do keep it, with what they show of a candidate.

Label Studio gives annotations new ids and moments and drops what it does not know; Argilla knows people by its own ids
and no times at all. A mark has an answer's id, its person, capacity, seconds, moment and row, and a hash of what it
says: an answer that comes back and says the same is that answer, another one of the person is a new one in the same
capacity.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from anomagent.benchmark.documents import as_list, as_object
from anomagent.review.exchange.answers import (
    Names,
    Said,
    Sheet,
    content_of,
    derived_id,
    make_answer,
    moment_of,
    number_of,
    seconds_of,
    text_of,
)
from anomagent.state.reviews import Answer

_KEPT: Final = ("id", "annotator", "capacity", "seconds", "created")


@dataclass(frozen=True)
class Told:
    """An answer as another tool tells it."""

    candidate: int
    content: object
    """See `ExchangedCandidate.content`."""
    person: str | None
    said: Mapping[str, str | None]
    """verdict, reason and note."""
    id: str
    """Of what the tool says; see `derived_id`."""
    lasting: str | None = None
    """The id that the tool gave, or left, to the answer."""
    seconds: float | None = None
    created: str | None = None
    edited: bool = False
    """Whether it was changed there after it had come: then it is new, also where it says again what it said before."""


def marks_of(answers: Iterable[tuple[int, Answer]]) -> list[dict[str, Any]]:
    """The marks of answers, each with its row, as plain data."""
    return [
        {"row": row, **answer.model_dump(include=set(_KEPT)), "says": _says(vars(answer))} for row, answer in answers
    ]


def read_marks(value: object) -> list[dict[str, object]]:
    """The marks that a file has of a candidate. Raises `ValueError` for what is none."""
    marks = [as_object(one) for one in as_list(value or [])]
    for mark in marks:
        if text_of(mark.get("annotator"), "annotator") is None:
            raise ValueError("a mark of an answer names nobody; take a file that `anomagent review export` wrote")
    return marks


def recognise(told: Told, marks: Iterable[Mapping[str, object]], names: Names, sheet: Sheet, place: str) -> Said:
    """The answer that was exported, where it is that; else a new one. Raises `ValueError` for what cannot be one."""
    people = {names.name_of(str(mark["annotator"])): mark for mark in marks}
    by_id = (name for name, mark in people.items() if told.lasting and mark.get("id") == told.lasting)
    name = next(by_id, None) or names.name_of(told.person)
    mark = people.get(name)
    about = {"anomaly": told.candidate, "annotator": name, **told.said}
    content = content_of(told.content)
    if mark is None:
        own = {"id": told.lasting or told.id, "seconds": told.seconds, "created": told.created}
        return Said(place, content, make_answer(**about, **own))
    capacity = {"capacity": mark.get("capacity") or "annotator"}
    if told.edited or mark.get("says") != _says(told.said):
        answer = make_answer(**about, **capacity, id=told.id, seconds=told.seconds, created=told.created)
        return Said(place, content, answer)
    exact = {"id": mark.get("id"), "seconds": seconds_of(mark.get("seconds"), sheet)}
    answer = make_answer(**about, **capacity, **exact, created=moment_of(mark.get("created")))
    return Said(place, content, answer, number_of(mark.get("row"), "row"), exact=True)


def _says(said: Mapping[str, Any]) -> str:
    """A hash of what an answer says; tools may drop white space around a note."""
    return derived_id(said["verdict"], said.get("reason"), (said.get("note") or "").strip())
