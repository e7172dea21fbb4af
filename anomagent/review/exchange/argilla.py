"""Argilla 2: records as `Record.to_dict` gives them. What a record cannot hold stands beside, under `answers`."""

import uuid
from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import Any, Final

from anomagent.benchmark.documents import Document, as_list, as_object
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
from anomagent.store.exchange import ExchangedCandidate

_QUESTIONS: Final = ("verdict", "reason", "note")
_PEOPLE: Final = uuid.UUID("6f0d3d5e-7d1e-5b0a-9d53-2f6f1f3a5c11")
"""Argilla knows people by UUID: those of ours follow from their names."""


def record(candidate: ExchangedCandidate, image: str | None, kind: str, answers: Iterable[Answer]) -> dict[str, Any]:
    """A candidate as a record: questions `verdict`, `reason` (labels) and `note` (text). Nothing is suggested."""
    anomaly, said = candidate.anomaly, list(answers)
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
    }
    return {
        "id": str(candidate.id),
        "fields": texts if image is None else {"image": image, **texts},
        "metadata": {key: value for key, value in about.items() if value is not None},
        "suggestions": {},
        "responses": _responses(said),
        "vectors": {},
        "_server_id": None,
        "answers": [
            {
                "user_id": _user(answer),
                **answer.model_dump(include={"id", "annotator", "seconds", "capacity", "created"}),
            }
            for answer in said
        ],
    }


def is_record(entry: Mapping[str, object]) -> bool:
    """Whether an entry of a JSON file is a record."""
    return isinstance(entry.get("fields"), dict)


def read_records(document: Document, names: Names) -> Sheet:
    """The answers in records. Raises `ValueError` that begins with the place of what is wrong."""
    sheet = Sheet()
    for index, item in enumerate(document.items()):
        place = document.place(index)
        try:
            _read(as_object(item), place, names, sheet)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    return sheet


def _read(entry: dict[str, object], place: str, names: Names, sheet: Sheet) -> None:
    metadata = as_object(entry.get("metadata") or {})
    exact = {str(one.get("user_id")): one for one in map(as_object, as_list(entry.get("answers") or []))}
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
    for user, said in by_user.items():
        if said.get("verdict") is None:
            sheet.passed["responses without a verdict"] += 1
            continue
        candidate = number_of(metadata.get("candidate", entry.get("id")), "candidate")
        own = exact.get(str(user), {})
        values = {question: text_of(said.get(question), question) for question in _QUESTIONS}
        theirs = text_of(own.get("annotator"), "annotator") or user
        answer = make_answer(
            id=own.get("id") or derived_id("argilla", candidate, user, sorted(values.items(), key=str)),
            anomaly=candidate,
            annotator=names.name_of(theirs),
            seconds=seconds_of(own.get("seconds"), sheet),
            capacity=own.get("capacity") or "annotator",
            created=moment_of(own.get("created")),
            **values,
        )
        sheet.said.append(Said(place, content_of(metadata.get("content")), answer))


def _responses(answers: list[Answer]) -> dict[str, list[dict[str, Any]]]:
    given = {
        question: [(answer, getattr(answer, question)) for answer in answers if getattr(answer, question) is not None]
        for question in _QUESTIONS
    }
    return {
        question: [{"value": value, "user_id": _user(answer), "status": "submitted"} for answer, value in said]
        for question, said in given.items()
        if said
    }


def _user(answer: Answer) -> str:
    return str(uuid.uuid5(_PEOPLE, answer.annotator))
