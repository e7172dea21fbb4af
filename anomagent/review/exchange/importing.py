"""Takes answers from files: all of a file or nothing, checked against the candidates they were given about."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from math import inf
from pathlib import Path
from typing import Any, NamedTuple

from anomagent.benchmark.documents import as_object, parse_document, read_text
from anomagent.benchmark.tables import is_parquet
from anomagent.errors import UsageError
from anomagent.review.exchange import argilla, csv_files, label_studio
from anomagent.review.exchange.answers import DrawnBox, Names, Said, Sheet, derived_id
from anomagent.state.reviews import Answer
from anomagent.store import Workspace
from anomagent.store.exchange import Box, add_answers, find_answers, find_candidates, find_people, newest_answers


@dataclass(frozen=True)
class ImportedReview:
    """What came of a file."""

    file: str
    answers: int
    """In the file."""
    new: int
    """Appended."""
    known: int
    """There already."""
    older: int
    """Left out: the person has said something later about the candidate, which goes on to count."""
    unknown: int
    """Left out: about a candidate that is not here, or not as it was."""
    boxes: int
    """New boxes of objects."""
    passed: Mapping[str, int]
    """What in the file was no answer, by why."""

    def described(self) -> dict[str, Any]:
        """All of it as plain data."""
        return asdict(self)


class _Known(NamedTuple):
    """What an answer's candidate is checked by, and a box is placed by."""

    content: str
    sha256: str
    width: int
    height: int
    object: str | None


def import_review(
    workspace: Workspace, path: Path, names: Names | None = None, *, skip_unknown: bool = False
) -> ImportedReview:
    """Append the answers in a file that `export_review` wrote, or that came of one in Label Studio or Argilla.

    Importing a file again adds nothing, and neither does what says the same as the person's standing answer. An answer
    that is here already but says something else in the file was changed there, and is appended. An answer older than
    the person's last word about the candidate is left out: the last that arrives counts. Answers about candidates that
    are unknown here or were others are refused, or with `skip_unknown` left out.

    Raises `UsageError` with the first thing that is wrong; then nothing is imported.
    """
    sheet = read_sheet(path, replace(names or Names(), here=find_people(workspace)))
    known = {
        one.id: _Known(one.content, one.sha256, one.width, one.height, next(iter(one.anomaly.objects), None))
        for one in find_candidates(workspace, (said.answer.anomaly for said in sheet.said))
    }
    ours = [said for said in sheet.said if _is_known(said, known)]
    if len(ours) < len(sheet.said) and not skip_unknown:
        raise UsageError(_unknown(path, [said for said in sheet.said if not _is_known(said, known)], known))
    _check_ids(path, ours)
    fresh, older = _fresh(workspace, sorted(ours, key=_arrival))
    new, boxes = add_answers(workspace, fresh, _boxes(sheet, known))
    unknown = len(sheet.said) - len(ours)
    return ImportedReview(
        str(path), len(sheet.said), new, len(ours) - new - older, older, unknown, boxes, dict(+sheet.passed)
    )


def read_sheet(path: Path, names: Names) -> Sheet:
    """The answers in a file, whose format is known by its content. Raises `UsageError`."""
    try:
        if is_parquet(path) or not (text := read_text(path)).lstrip().startswith(("[", "{")):
            return csv_files.read_table(path, names)
        document = parse_document(text, path)
        items = document.items()
        first = as_object(items[0]) if items else {}
        if argilla.is_record(first):
            return argilla.read_records(document, names)
        if label_studio.is_tasks(first):
            return label_studio.read_tasks(document, names)
    except ValueError as error:
        raise UsageError(f"{path}: {error}; nothing is imported") from error
    raise UsageError(f"{path}: holds no tasks of Label Studio and no records of Argilla; nothing is imported")


def _is_known(said: Said, known: Mapping[int, _Known]) -> bool:
    candidate = known.get(said.answer.anomaly)
    return candidate is not None and candidate.content == said.content


def _unknown(path: Path, foreign: list[Said], known: Mapping[int, _Known]) -> str:
    first = foreign[0]
    number = first.answer.anomaly
    what = "is another one here, or was changed in the file" if number in known else "is unknown here"
    more = f" (and {len(foreign) - 1} more)" if len(foreign) > 1 else ""
    hint = "use the workspace it was exported from, or leave such answers out with --skip-unknown"
    return f"{path}: {first.place}: candidate {number} {what}{more}; {hint}; nothing is imported"


def _check_ids(path: Path, said: Iterable[Said]) -> None:
    """Raises `UsageError` where two different answers share an id: one would be lost."""
    seen: dict[str, Said] = {}
    for one in said:
        other = seen.setdefault(one.answer.id, one)
        if (other.answer.annotator, *_substance(other.answer)) != (one.answer.annotator, *_substance(one.answer)):
            places = f"{other.place} and {one.place}"
            raise UsageError(f"{path}: {places} are different answers with one id; nothing is imported")


def _arrival(said: Said) -> tuple[float, str]:
    """Answers of ours in the order of their rows; then others by their moments; those that have none are from now."""
    return (inf if said.row is None else said.row, said.answer.created or "~")


def _fresh(workspace: Workspace, in_order: Sequence[Said]) -> tuple[list[Answer], int]:
    """What is to be appended, and how many answers are older than their person's last word."""
    last = newest_answers(workspace, {said.answer.anomaly for said in in_order})
    there = find_answers(workspace, (said.answer.id for said in in_order))
    changed = {said.answer.id: _under_new_id(said.answer) for said in in_order if _is_changed(said.answer, there)}
    there |= find_answers(workspace, (answer.id for answer in changed.values()))
    fresh: list[Answer] = []
    older, passed = 0, set[tuple[int, str]]()
    for said in in_order:
        answer = changed.get(said.answer.id, said.answer)
        person = (answer.anomaly, answer.annotator)
        newest = last.get(person)
        if answer.id in there:
            if newest and newest.id == answer.id:
                passed.add(person)  # what follows in the file arrived later, whatever its moment
        elif newest and _says_again(said, answer, newest):
            continue
        elif newest and person not in passed and answer.created and answer.created < (newest.created or ""):
            older += 1
        else:
            fresh.append(answer)
            last[person] = there[answer.id] = answer
            passed.add(person)
    return fresh, older


def _is_changed(answer: Answer, there: Mapping[str, Answer]) -> bool:
    return answer.id in there and _substance(there[answer.id]) != _substance(answer)


def _under_new_id(answer: Answer) -> Answer:
    """An answer that says something else here gets an id of what it says now."""
    return answer.model_copy(update={"id": derived_id(answer.id, *_substance(answer), answer.created)})


def _says_again(said: Said, answer: Answer, newest: Answer) -> bool:
    """Whether an answer whose id is not ours says what stands."""
    ours = said.exact and said.answer.id == answer.id
    return not ours and _substance(newest) == _substance(answer)


def _substance(answer: Answer) -> tuple[object, ...]:
    """What an answer says, whoever gave it under whatever name; a table has no note of white space alone."""
    return (answer.anomaly, answer.verdict, answer.reason, (answer.note or "").strip() or None)


def _boxes(sheet: Sheet, known: Mapping[int, _Known]) -> list[Box]:
    """Boxes in pixels; each belongs to the first object of its candidate."""
    drawn = [box for box in sheet.boxes if _is_known(box.said, known)]
    return [box for box in (_box(one, known[one.said.answer.anomaly]) for one in drawn) if box is not None]


def _box(drawn: DrawnBox, candidate: _Known) -> Box | None:
    if candidate.object is None:
        return None
    width, height = candidate.width, candidate.height
    corners = (drawn.x0 * width, drawn.y0 * height, drawn.x1 * width, drawn.y1 * height)
    return Box(candidate.sha256, candidate.object, *corners)
