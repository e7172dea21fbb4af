"""CSV: a row for every answer there ever was, withdrawn ones too, and one for each candidate without an answer.

Cells are exact, also those that begin with = + - or @: a spreadsheet may take them for formulas, so open the file as
text. A note that is empty, or white space alone, comes back as none: a cell cannot tell them apart.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from anomagent.benchmark.tables import read_rows, text_in
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
)
from anomagent.state.reviews import Answer
from anomagent.store.exchange import ExchangedCandidate

_CANDIDATE: Final = (
    *("candidate", "content", "image", "image_name", "sha256", "run", "source", "kind"),
    *("name", "phenomenon", "reasoning", "severity", "objects"),
)
_ANSWER: Final = ("row", "answer", "annotator", "capacity", "verdict", "reason", "note", "seconds", "created")
COLUMNS: Final = (*_CANDIDATE, *_ANSWER)
_READ: Final = ("candidate", "content", *_ANSWER)


def rows(
    candidate: ExchangedCandidate, image: str | None, kind: str, answers: Iterable[tuple[int, Answer]]
) -> Iterator[list[object]]:
    """The rows of a candidate, in the order in which the answers arrived; cells by `COLUMNS`."""
    anomaly = candidate.anomaly
    texts = [anomaly.name, anomaly.phenomenon, anomaly.reasoning, anomaly.severity, ", ".join(anomaly.objects)]
    about = [candidate.id, candidate.content, image, candidate.image, candidate.sha256, candidate.run, candidate.source]
    said = [
        [row, a.id, a.annotator, a.capacity, a.verdict, a.reason, a.note, a.seconds, a.created] for row, a in answers
    ]
    for cells in said or [[None] * len(_ANSWER)]:
        yield ["" if cell is None else cell for cell in (*about, kind, *texts, *cells)]


def read_table(path: Path, names: Names) -> Sheet:
    """The answers in a table, in its order. Raises `ValueError` that begins with the place of what is wrong."""
    sheet = Sheet()
    for row in read_rows(path, _READ):
        cells = {column: text_in(row, column, path) for column in _READ}
        if cells["verdict"] is None:
            continue
        try:
            answer = _answer(cells, names, sheet)
            order = None if cells["row"] is None else number_of(cells["row"], "row")
            exact = cells["answer"] is not None
            sheet.said.append(Said(row.place, content_of(cells["content"]), answer, order, exact))
        except ValueError as error:
            raise ValueError(f"{row.place}: {error}") from error
    return sheet


def _answer(cells: dict[str, str | None], names: Names, sheet: Sheet) -> Answer:
    own = {column: cells[column] for column in ("verdict", "reason", "note")}
    return make_answer(
        id=cells["answer"] or derived_id("csv", [cells[column] for column in _READ]),
        anomaly=number_of(cells["candidate"], "candidate"),
        annotator=names.name_of(cells["annotator"]),
        capacity=cells["capacity"] or "annotator",
        seconds=seconds_of(cells["seconds"], sheet),
        created=moment_of(cells["created"]),
        **own,
    )
