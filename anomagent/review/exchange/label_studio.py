"""Label Studio: tasks with their annotations, the labeling configuration, and what its exports say (JSON, JSON-MIN)."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final
from xml.etree import ElementTree

from anomagent.benchmark.documents import Document, as_list, as_object
from anomagent.review.exchange.answers import (
    DrawnBox,
    Names,
    Said,
    Sheet,
    derived_id,
    id_of,
    moment_of,
    number_of,
    seconds_of,
    text_of,
)
from anomagent.review.exchange.marks import Told, marks_of, read_marks, recognise
from anomagent.state.reviews import REASONS, VERDICTS, Answer
from anomagent.store.exchange import Box, ExchangedCandidate

QUESTION: Final = "Is this description right for this image?"
_SAVING: Final = timedelta(seconds=2)
"""So long may an import into Label Studio take between its two moments of an annotation."""
_BOX: Final = ("x", "y", "width", "height")


def labeling_config(with_image: bool) -> str:
    """The project's labeling configuration, XML, for tasks from `task`."""
    view = ElementTree.Element("View")
    target = _target(with_image)
    if with_image:
        ElementTree.SubElement(view, "Image", name="image", value="$image", zoom="true")
    ElementTree.SubElement(view, "Header", value="$name", size="3")
    for field in ("phenomenon", "reasoning"):
        ElementTree.SubElement(view, "Text", name=field, value=f"${field}")
    ElementTree.SubElement(view, "Header", value="Severity: $severity (0 = completely implausible, 100 = realistic)")
    ElementTree.SubElement(view, "Header", value=QUESTION)
    choices = {"toName": target, "choice": "single", "showInline": "true"}
    verdict = ElementTree.SubElement(view, "Choices", {**choices, "name": "verdict", "required": "true"})
    for value in VERDICTS:
        ElementTree.SubElement(verdict, "Choice", value=value, hotkey=value[0].lower())
    shown = {"visibleWhen": "choice-selected", "whenTagName": "verdict", "whenChoiceValue": "REJECT"}
    reason = ElementTree.SubElement(view, "Choices", {**choices, **shown, "name": "reason"})
    for value in REASONS:
        ElementTree.SubElement(reason, "Choice", value=value)
    ElementTree.SubElement(
        view, "TextArea", name="note", toName=target, placeholder="note", maxSubmissions="1", editable="true"
    )
    if with_image:
        box = ElementTree.SubElement(view, "RectangleLabels", name="box", toName=target)
        ElementTree.SubElement(box, "Label", value="object")
    ElementTree.indent(view)
    return ElementTree.tostring(view, encoding="unicode") + "\n"


def task(
    candidate: ExchangedCandidate,
    image: str | None,
    kind: str,
    boxes: Sequence[Box],
    answers: Sequence[tuple[int, Answer]],
) -> dict[str, Any]:
    """A candidate as a task. Known boxes of its objects are a prediction; a verdict is never suggested."""
    anomaly, target = candidate.anomaly, _target(image is not None)
    data: dict[str, Any] = {
        "candidate": candidate.id,
        "content": candidate.content,
        "sha256": candidate.sha256,
        "image_name": candidate.image,
        "run": candidate.run,
        "source": candidate.source,
        "kind": kind,
        "name": anomaly.name,
        "phenomenon": anomaly.phenomenon,
        "reasoning": anomaly.reasoning,
        "severity": anomaly.severity,
        "objects": ", ".join(anomaly.objects),
    }
    if answers:
        data["answers"] = marks_of(answers)
    named = {name.casefold() for name in anomaly.objects} if image is not None else set[str]()
    drawn = [_rectangle(box, candidate) for box in boxes if box.object.casefold() in named]
    return {
        "data": data if image is None else {"image": image, **data},
        "predictions": [{"model_version": "object boxes", "result": drawn}] if drawn else [],
        "annotations": [_annotation(answer, target) for _, answer in answers],
    }


def read_tasks(document: Document, names: Names) -> Sheet:
    """The answers in an export, JSON or JSON-MIN. Raises `ValueError` that begins with the place of what is wrong."""
    sheet = Sheet()
    for index, item in enumerate(document.items()):
        place = document.place(index)
        try:
            entry = as_object(item)
            if isinstance(entry.get("data"), dict):
                _read_task(entry, place, names, sheet)
            else:
                _read_minimal(entry, place, names, sheet)
        except ValueError as error:
            raise ValueError(f"{place}: {error}") from error
    return sheet


def is_tasks(entry: Mapping[str, object]) -> bool:
    """Whether an entry of a JSON file is a task."""
    return isinstance(entry.get("data"), dict) or "annotation_id" in entry


def _read_task(entry: dict[str, object], place: str, names: Names, sheet: Sheet) -> None:
    data = as_object(entry["data"])
    for number, item in enumerate(as_list(entry.get("annotations") or []), start=1):
        annotation = as_object(item)
        if annotation.get("was_cancelled"):
            sheet.passed["skipped tasks"] += 1
            continue
        results = [as_object(result) for result in as_list(annotation.get("result") or [])]
        values = {str(result.get("from_name")): as_object(result.get("value") or {}) for result in results}
        chosen = {name: _one(values.get(name, {}).get("choices"), name) for name in ("verdict", "reason")}
        said = {**chosen, "note": _note(values.get("note", {}).get("text"))}
        drawn = [as_object(result.get("value")) for result in results if result.get("from_name") == "box"]
        _add(f"{place}, annotation {number}", data, annotation, said, drawn, names, sheet)


def _read_minimal(entry: dict[str, object], place: str, names: Names, sheet: Sheet) -> None:
    said = {name: _one(entry.get(name), name) for name in ("verdict", "reason")} | {"note": _note(entry.get("note"))}
    annotation = {**entry, "id": entry.get("annotation_id"), "completed_by": entry.get("annotator")}
    drawn = [as_object(box) for box in as_list(entry.get("box") or [])]
    _add(place, entry, annotation, said, drawn, names, sheet)


def _add(
    place: str,
    data: Mapping[str, object],
    annotation: Mapping[str, object],
    said: Mapping[str, str | None],
    drawn: Sequence[Mapping[str, object]],
    names: Names,
    sheet: Sheet,
) -> None:
    if said["verdict"] is None:
        sheet.passed["annotations without a verdict"] += 1
        return
    candidate = number_of(data.get("candidate"), "candidate")
    # A changed annotation keeps its id: what was changed, and when, makes the answer.
    moment = annotation.get("updated_at") or annotation.get("created_at")
    told = Told(
        candidate,
        data.get("content"),
        _person(annotation.get("completed_by")),
        said,
        id=derived_id("label-studio", candidate, annotation.get("id"), sorted(said.items(), key=str), moment),
        lasting=id_of(annotation.get("unique_id")),
        seconds=seconds_of(annotation.get("lead_time"), sheet),
        created=moment_of(moment),
        edited=_was_edited(annotation),
    )
    one = recognise(told, read_marks(data.get("answers")), names, sheet, place)
    sheet.said.append(one)
    sheet.boxes.extend(_drawn(one, value) for value in drawn)


def _was_edited(annotation: Mapping[str, object]) -> bool:
    moments = [moment_of(annotation.get(key)) for key in ("created_at", "updated_at")]
    first, last = (datetime.fromisoformat(moment) if moment else None for moment in moments)
    return bool(first and last and last - first > _SAVING)


def _person(value: object) -> str | None:
    match value:
        case {"email": str(name)} if name:
            return name
        case {"id": int(number)} | int(number) if not isinstance(number, bool):
            return str(number)
        case str(name) if name:
            return name
        case None:
            return None
        case _:
            raise ValueError("completed_by is no person's number, name or email")


def _one(value: object, what: str) -> str | None:
    """The one choice of a question."""
    match value:
        case None | [] | "":
            return None
        case [str(choice)] | str(choice) | {"choices": [str(choice)]}:
            return text_of(choice, what)
        case _:
            raise ValueError(f"the {what} is not one choice")


def _note(value: object) -> str | None:
    lines = [value] if isinstance(value, str | None) else as_list(value)
    texts = [text for text in (text_of(line, "note") for line in lines) if text is not None]
    return "\n".join(texts) if texts else None


def _drawn(said: Said, value: Mapping[str, object]) -> DrawnBox:
    numbers = [value.get(key) for key in _BOX]
    if value.get("rotation") or not all(isinstance(n, int | float) and 0 <= n <= 100 for n in numbers):
        raise ValueError("a box is turned, or no four numbers of percent; draw it upright and inside the image")
    x, y, width, height = (float(number) / 100 for number in numbers)  # type: ignore[arg-type]
    if not (width and height and x + width <= 1.001 and y + height <= 1.001):
        raise ValueError("a box is empty or leaves the image; draw it inside the image")
    return DrawnBox(said, x, y, min(x + width, 1.0), min(y + height, 1.0))


def _annotation(answer: Answer, target: str) -> dict[str, Any]:
    choices = {name: getattr(answer, name) for name in ("verdict", "reason") if getattr(answer, name)}
    result = [_result(name, target, "choices", {"choices": [value]}) for name, value in choices.items()]
    if answer.note is not None:
        result.append(_result("note", target, "textarea", {"text": [answer.note]}))
    return {
        "unique_id": answer.id,
        "completed_by": {"email": answer.annotator},
        "created_at": answer.created,
        "updated_at": answer.created,
        "lead_time": answer.seconds,
        "was_cancelled": False,
        "ground_truth": False,
        "result": result,
    }


def _rectangle(box: Box, candidate: ExchangedCandidate) -> dict[str, Any]:
    width, height = candidate.width, candidate.height
    ends = (box.x0 / width, box.y0 / height, (box.x1 - box.x0) / width, (box.y1 - box.y0) / height)
    place = {key: 100 * share for key, share in zip(_BOX, ends, strict=True)}
    result = _result("box", "image", "rectanglelabels", {**place, "rotation": 0, "rectanglelabels": ["object"]})
    size = {"original_width": width, "original_height": height, "image_rotation": 0}
    return {**result, "id": f"box-{derived_id(box.object)[:8]}", **size}


def _result(name: str, target: str, kind: str, value: Mapping[str, object]) -> dict[str, Any]:
    return {"id": name, "from_name": name, "to_name": target, "type": kind, "value": dict(value)}


def _target(with_image: bool) -> str:
    return "image" if with_image else "phenomenon"
