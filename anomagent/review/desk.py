"""What the server does, apart from HTTP: candidates go out, answers come in. All of it blocks and is thread-safe."""

from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.kinds import KINDS, title_of
from anomagent.errors import AnomagentError
from anomagent.report.plain import printable
from anomagent.review.evidence import evidence_of
from anomagent.review.queue import Queue
from anomagent.review.requests import AnswerBody, NextQuery, UndoBody
from anomagent.state.reviews import Answer
from anomagent.store.candidates import Candidate, candidate_texts
from anomagent.store.database import iso
from anomagent.store.reviews import Outcome
from anomagent.store.workspace import Workspace

Reply = dict[str, Any]


class NotThere(AnomagentError):
    """What was asked for is not in this review."""


class Desk:
    """One review of one workspace, for all its people. Of the others' answers nobody gets more than counts."""

    def __init__(self, workspace: Workspace, queue: Queue) -> None:
        self.workspace = workspace
        self.stored = 0
        """Answers that were appended since the start, withdrawals included."""
        self._queue = queue
        self._counting = Lock()

    def next(self, annotator: str, query: NextQuery) -> Reply:
        """The candidate that this person is to look at, the images that come after it, and the progress."""
        self._queue.refresh()
        filters = query.filters()
        candidate = self._queue.next(annotator, filters, query.after)
        skip = {id for id in (query.after, candidate and candidate.id) if id is not None}
        upcoming = self._queue.upcoming(annotator, filters, skip) if candidate else []
        return {
            "item": candidate and self._item(annotator, candidate),
            "upcoming": [{"id": each.id, "image": _image(each.sha256)} for each in upcoming],
            "progress": self._queue.progress(annotator),
        }

    def item(self, annotator: str, id: int) -> Reply:
        """A candidate by its id. Raises `NotThere`."""
        self._queue.refresh()
        return self._item(annotator, self._candidate(id))

    def evidence(self, id: int) -> Reply:
        """What the agents said on the way to a candidate. Raises `NotThere`."""
        self._candidate(id)
        found = evidence_of(self.workspace, id)
        if found is None:
            raise NotThere(f"candidate {id} is gone")
        return found

    def answer(self, annotator: str, body: AnswerBody, received: datetime | None = None) -> Reply:
        """Append an answer: once, however often it is sent; of two, the one that was given last counts.

        `received`: the moment from which its age counts back; without one, now. Raises `UsageError` for an unknown
        candidate, `IdTakenError` where its id is another answer's.
        """
        said = body.model_dump(include={"verdict", "reason", "note", "seconds"})
        outcome = self._queue.answer(self._given(annotator, body, said, received), body.age > 0)
        self._count(outcome)
        return {"stored": outcome.stored, "progress": self._queue.progress(annotator)}

    def undo(self, annotator: str, body: UndoBody, received: datetime | None = None) -> Reply:
        """Withdraw this person's answer and return the candidate, with what was answered.

        An undo of another answer than the one that stands withdraws nothing and returns that one. Sent again, it
        changes nothing more and returns the same. Raises `NotThere` for an unknown candidate or where no answer of this
        person stands, `IdTakenError` where its id is another answer's.
        """
        candidate = self._candidate(body.item)
        undo = self._given(annotator, body, {"verdict": "WITHDRAWN"}, received)
        outcome = self._queue.withdraw(undo, body.answer, body.age > 0)
        self._count(outcome)
        if outcome.before is None:
            raise NotThere("there is no answer of yours to undo")
        item = self._item(annotator, candidate)
        return {"item": item, "was": _said(outcome.before), "progress": self._queue.progress(annotator)}

    def progress(self, annotator: str) -> Reply:
        """How far this person and all together are."""
        self._queue.refresh()
        return self._queue.progress(annotator)

    def known_as(self, name: str) -> str | None:
        """How somebody whose name differs by its case alone is spelled; None where there is nobody."""
        self._queue.refresh()
        return self._queue.known_as(name)

    def settle(self) -> None:
        """Wait until candidates that are being read again are there."""
        self._queue.settle()

    def filters(self) -> Reply:
        """What candidates can be filtered by."""
        kinds = [{"id": kind, "title": title_of(kind)} for kind in KINDS]
        return {"sources": self._queue.sources(), "kinds": kinds}

    def _candidate(self, id: int) -> Candidate:
        candidate = self._queue.get(id)
        if candidate is None:
            raise NotThere(f"there is no candidate {id}")
        return candidate

    def _given(self, annotator: str, body: AnswerBody | UndoBody, said: Reply, received: datetime | None) -> Answer:
        """An answer of this person, dated back to the moment at which it was given."""
        about = {"id": body.id, "anomaly": body.item, "annotator": annotator}
        moment = (received or datetime.now(UTC)) - timedelta(seconds=body.age)
        return Answer(**about, **said, capacity=self._queue.capacity(annotator), created=iso(moment))

    def _count(self, outcome: Outcome) -> None:
        with self._counting:
            self.stored += outcome.stored

    def _item(self, annotator: str, candidate: Candidate) -> Reply:
        texts = candidate_texts(self.workspace, candidate.id)
        mine = self._queue.standing(annotator, candidate.id)
        size = {"width": candidate.width, "height": candidate.height}
        return {
            "id": candidate.id,
            "image": {**_image(candidate.sha256), **size, "name": printable(base_name(candidate.image))},
            **{field: printable(texts[field]) for field in ("name", "phenomenon", "reasoning")},
            "severity": candidate.severity,
            "kind": {"id": candidate.kind, "title": title_of(candidate.kind)},
            "source": candidate.source,
            "objects": [printable(name) for name in texts["objects"]],
            "boxes": [{**box, "object": printable(box["object"])} for box in texts["boxes"]],
            "capacity": self._queue.capacity(annotator),
            "mine": mine and _said(mine),
        }


def _image(sha256: str) -> Reply:
    return {"sha256": sha256, "url": f"/images/{sha256}"}


def _said(answer: Answer) -> Reply:
    return {"verdict": answer.verdict, "reason": answer.reason, "note": answer.note}
