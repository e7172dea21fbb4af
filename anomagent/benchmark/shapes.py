"""What a file says about one image, in each of the shapes that are in use."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final, cast

from anomagent.benchmark.documents import as_object, is_unicode, kind_of, parse_json, shown
from anomagent.benchmark.entries import is_entry, read_entry
from anomagent.state.classic_text import NO_ANOMALIES, parse_anomalies
from anomagent.state.findings import Anomaly

_PARTS: Final = ("anomalies", "answer", "description", "failure")
_ASSISTANT: Final = ("gpt", "assistant", "model")
_FENCE = "```"
_LANGUAGE = re.compile(r"\s*json\w*", re.IGNORECASE)
_JSON_START = re.compile(r"\s*(?:\[\s*[\[\]{\"]|\{\s*[\"}])")


@dataclass(frozen=True)
class Refused:
    """An entry that is no anomaly."""

    index: int
    """Position in the list, from 0."""
    reason: str


@dataclass(frozen=True)
class Content:
    """What was said about one image; see `ImageAnnotations`."""

    anomalies: tuple[Anomaly, ...] = ()
    refused: tuple[Refused, ...] = ()
    answer: str | None = None
    description: str | None = None
    failure: str | None = None
    partial: str | None = None
    instance: bool = False
    """From instruction data, which may spread an image's anomalies over several instances."""

    def joined(self, other: "Content") -> "Content":
        """Both lists, one after the other. Raises `ValueError` where the rest differs or a list is to be whole."""
        if not self.instance or replace(self, anomalies=(), refused=()) != replace(other, anomalies=(), refused=()):
            raise ValueError("it is there twice with different content")
        start = len(self.anomalies) + len(self.refused)
        later = tuple(Refused(start + refused.index, refused.reason) for refused in other.refused)
        return replace(self, anomalies=self.anomalies + other.anomalies, refused=self.refused + later)

    def settled(self) -> "Content":
        """With everything said. A list of which nothing could be read is a failure: not "nothing was found"."""
        if self.anomalies or not self.refused or self.failure is not None:
            return self
        reason = f"no entry of its list can be read, the first: {self.refused[0].reason}"
        return replace(self, failure=reason, partial=None)


def content_of(value: object) -> Content:
    """The value of an image: a list of entries, a text, or an object with anomalies, answer or description.

    A text is a list of anomalies where it has at least one labelled entry or is JSON, within ``` fences or not; else it
    is a description. What cannot be read as any of these is refused, and a failure rather than an empty list.
    """
    match value:
        case list():
            return _of_list(cast(list[object], value))
        case str():
            return _of_text(value)
        case dict():
            return _of_object(cast(dict[str, object], value))
        case _:
            return _unreadable(f"it is {kind_of(value)}, not a list of anomalies")


def is_record(value: object) -> bool:
    """Whether an object is about one image, which it names."""
    if not isinstance(value, dict):
        return False
    keys = cast(dict[str, object], value).keys()
    return "image" in keys and bool(keys & {*_PARTS, "status", "conversations"})


def content_of_record(record: Mapping[str, object]) -> Content:
    """What a record says: a line of `run --json`, an instance of instruction data, or answer and anomalies.

    Raises `ValueError` with the reason where it is none of them.
    """
    if "conversations" in record:
        return _of_turns(record["conversations"])
    if not record.keys() & {*_PARTS, "status"}:
        raise ValueError(f"it has none of {', '.join(_PARTS)}, status, conversations")
    return _of_object(record)


def _of_list(values: list[object]) -> Content:
    anomalies: list[Anomaly] = []
    refused: list[Refused] = []
    for index, value in enumerate(values):
        try:
            anomalies.append(read_entry(value))
        except ValueError as error:
            refused.append(Refused(index, str(error)))
    return Content(tuple(anomalies), tuple(refused))


def _of_text(text: str) -> Content:
    if not text.strip():
        return _unreadable("the text is empty")
    if not is_unicode(text):
        return _unreadable("the text holds half a surrogate pair")
    match _json_blocks(text):
        case []:
            return _of_classic_text(text)
        case [block]:
            try:
                return _of_json(parse_json(block))
            except ValueError as error:
                listed = _of_classic_text(text)
                return _unreadable(f"its JSON: {error}") if listed.description else listed
        case _:
            return _unreadable("the text holds several blocks of JSON")


def _of_json(value: object) -> Content:
    """What a text says in JSON. Only the file, and no model's answer, may say that a result is missing or partial."""
    if not isinstance(value, dict):
        return content_of(value)
    said = cast(dict[str, object], value).items()
    return _of_object({key: item for key, item in said if key.strip().lower() not in ("status", "failure", "partial")})


def _json_blocks(text: str) -> list[str]:
    """What looks like JSON: within fences, a last one that is not closed included, or the whole text."""
    fenced = [_LANGUAGE.sub("", block, count=1) for block in text.split(_FENCE)[1::2]]
    return [block for block in fenced or [text] if _JSON_START.match(block)]


def _of_classic_text(text: str) -> Content:
    found = parse_anomalies(text)
    if found.anomalies or found.refusals:
        refused = (Refused(one.position, f"{shown(one.name)}: {one.reason}") for one in found.refusals)
        return Content(tuple(found.anomalies), tuple(refused))
    return Content() if text.strip() == NO_ANOMALIES else Content(description=text)


def _of_object(value: Mapping[str, object]) -> Content:
    said = {key.strip().lower(): item for key, item in value.items() if item is not None}
    if "status" in said:
        return _of_analysis(said)
    if not said.keys() & {*_PARTS}:
        return _of_list([value]) if is_entry(value) else _unreadable(f"it has none of {', '.join(_PARTS)}")
    if len({key.strip().lower() for key in value}) < len(value):
        return _unreadable("it has one key in two spellings")
    own: dict[str, str] = {}
    for part in ("answer", "description", "failure", "partial"):
        text = said.get(part, "")
        if not isinstance(text, str) or not is_unicode(text):
            return _unreadable(f"its {part} is not text")
        own |= {part: text} if part in said else {}
    if "anomalies" in said:
        return replace(_of_anomalies(said["anomalies"]), **own)
    inner = _of_answer(own.get("answer", ""))
    return replace(inner, **own | ({} if inner.answer is None else {"answer": inner.answer}))


def _of_anomalies(value: object) -> Content:
    if isinstance(value, list | str):
        return content_of(cast(object, value))
    return _unreadable(f"its anomalies are {kind_of(value)}")


def _of_answer(answer: str) -> Content:
    """The anomalies within an answer that has them; whatever else it says is the answer itself."""
    return replace(_of_text(answer), description=None) if answer.strip() else Content()


def _of_analysis(line: Mapping[str, object]) -> Content:
    """A line of `run --json`; a partial result has its list."""
    if line["status"] == "failed":
        return Content(failure=_reasons(line.get("failures")))
    if line["status"] not in ("ok", "partial"):
        return _unreadable("its status is none of ok, partial, failed")
    partial = _reasons(line.get("failures")) if line["status"] == "partial" else None
    return replace(_of_anomalies(line.get("anomalies")), partial=partial)


def _reasons(failures: object) -> str:
    """The failures of an analysis in one line."""
    said: list[str] = []
    for failure in cast(list[object], failures) if isinstance(failures, list) else []:
        parts = cast(dict[str, object], failure) if isinstance(failure, dict) else {}
        said.append(": ".join(str(parts[key]) for key in ("role", "object", "error", "message") if parts.get(key)))
    return "; ".join(filter(None, said)) or "failed, no reason given"


def _of_turns(conversations: object) -> Content:
    """Instruction data. One turn: the anomalies. Two: is it AI-generated, then the anomalies or the description."""
    if not isinstance(conversations, list):
        raise ValueError(f"its conversations are {kind_of(conversations)}, not a list")
    turns = [as_object(turn) for turn in cast(list[object], conversations)]
    answers = [turn.get("value") for turn in turns if turn.get("from") in _ASSISTANT]
    match answers:
        case [str() as only]:
            return replace(_of_text(only), instance=True)
        case [str() as answer, str() as second]:
            return replace(_of_text(second), answer=answer, instance=True)
        case _:
            raise ValueError(f"it has {len(answers)} answers of gpt that may be text; one or two are expected")


def _unreadable(reason: str) -> Content:
    """Nothing that could be read: no empty list, which would say that nothing was found."""
    return Content(refused=(Refused(0, reason),), failure=reason)
