"""Argilla 2: records as `Record.to_dict` gives them. What a response cannot hold travels as text in the metadata."""

import json
import uuid
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, Final

from anomagent.benchmark.documents import Document, as_list, as_object, parse_json
from anomagent.review.exchange.answers import Names, Sheet, derived_id, number_of, text_of
from anomagent.review.exchange.marks import Told, marks_of, read_marks, recognise
from anomagent.state.reviews import Answer
from anomagent.store.exchange import ExchangedCandidate

_QUESTIONS: Final = ("verdict", "reason", "note")
_PEOPLE: Final = uuid.UUID("6f0d3d5e-7d1e-5b0a-9d53-2f6f1f3a5c11")
"""Argilla knows people by UUID: those of ours follow from their names."""
_MOST_NAMED: Final = 8


def record(
    candidate: ExchangedCandidate, image: str | None, kind: str, answers: Sequence[tuple[int, Answer]]
) -> dict[str, Any]:
    """A candidate as a record: questions `verdict`, `reason` (labels) and `note` (text). Nothing is suggested."""
    anomaly = candidate.anomaly
    texts = {field: getattr(anomaly, field) for field in ("name", "phenomenon", "reasoning")}
    about = {
        "candidate": candidate.id,
        "content": candidate.content,
        "sha256": candidate.sha256,
        "image_name": candidate.image,
        "run": candidate.run,
        "source": candidate.source,
        "kind": kind,
        "severity": anomaly.severity,
        "answers": json.dumps(marks_of(answers)) if answers else None,
    }
    return {
        "id": str(candidate.id),
        "fields": texts if image is None else {"image": image, **texts},
        "metadata": {key: value for key, value in about.items() if value is not None},
        "suggestions": {},
        "responses": _responses([answer for _, answer in answers]),
        "vectors": {},
        "_server_id": None,
    }


def is_record(entry: Mapping[str, object]) -> bool:
    """Whether an entry of a JSON file is a record."""
    return isinstance(entry.get("fields"), dict)


def read_records(document: Document, names: Names) -> Sheet:
    """The answers in records. Raises `ValueError` that begins with the place of what is wrong."""
    sheet, people = Sheet(), _People(names)
    for index, item in enumerate(document.items()):
        place = document.place(index)
        try:
            _read(as_object(item), place, people, sheet)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    if people.unknown:
        raise ValueError(people.asked())
    return sheet


class _People:
    """Who is behind Argilla's ids."""

    def __init__(self, names: Names) -> None:
        self.names = names
        self.unknown: dict[str, str] = {}
        """Where each id stands first that tells nobody's name."""
        self._by_id = {_user(name): name for name in names.here}

    def add(self, name: str) -> None:
        """Note the name of somebody who answered where the file comes from."""
        self._by_id[_user(name)] = name

    def theirs(self, user: str | None, place: str) -> str | None:
        """What `Names` calls this person; an id that nobody knows is noted."""
        if user is None or user in self.names.by_theirs:
            return user
        if _is_uuid(user) and user not in self._by_id:
            self.unknown.setdefault(user, place)
        return self._by_id.get(user, user)

    def asked(self) -> str:
        """Whom the user must name, in one line."""
        first = [f"{user} ({place})" for user, place in list(self.unknown.items())[:_MOST_NAMED]]
        more = f" and {len(self.unknown) - len(first)} more" if len(self.unknown) > len(first) else ""
        return f"nobody here has the ids {', '.join(first)}{more}; give --annotator ID=NAME for each"


def _read(entry: dict[str, object], place: str, people: _People, sheet: Sheet) -> None:
    metadata = as_object(entry.get("metadata") or {})
    marks = read_marks(parse_json(text_of(metadata.get("answers"), "metadata's answers") or "[]"))
    for mark in marks:
        people.add(str(mark["annotator"]))
    for user, said in _said(entry, sheet).items():
        if said.get("verdict") is None:
            sheet.passed["responses without a verdict"] += 1
            continue
        person = people.theirs(user, place)
        if person in people.unknown:
            continue
        candidate = number_of(metadata.get("candidate", entry.get("id")), "candidate")
        values = {question: text_of(said.get(question), question) for question in _QUESTIONS}
        id = derived_id("argilla", candidate, user, sorted(values.items(), key=str))
        told = Told(candidate, metadata.get("content"), person, values, id)
        sheet.said.append(recognise(told, marks, people.names, sheet, place))


def _said(entry: Mapping[str, object], sheet: Sheet) -> Mapping[str | None, Mapping[str, object]]:
    """What each person responded, by question."""
    by_user: defaultdict[str | None, dict[str, object]] = defaultdict(dict)
    for question, responses in as_object(entry.get("responses") or {}).items():
        for response in map(as_object, as_list(responses)):
            if question not in _QUESTIONS:
                continue
            if response.get("status") in ("draft", "discarded"):
                sheet.passed["drafts and discarded responses"] += question == "verdict"
                continue
            said = by_user[text_of(response.get("user_id"), "user_id")]
            if question in said:
                raise ValueError(f"one person answers {question} twice")
            said[question] = response.get("value")
    return by_user


def _responses(answers: list[Answer]) -> dict[str, list[dict[str, Any]]]:
    given = {
        question: [(answer, getattr(answer, question)) for answer in answers if getattr(answer, question) is not None]
        for question in _QUESTIONS
    }
    return {
        question: [
            {"value": value, "user_id": _user(answer.annotator), "status": "submitted"} for answer, value in said
        ]
        for question, said in given.items()
        if said
    }


def _user(name: str) -> str:
    return str(uuid.uuid5(_PEOPLE, name))


def _is_uuid(text: str) -> bool:
    try:
        return bool(uuid.UUID(text))
    except ValueError:
        return False
