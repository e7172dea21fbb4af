"""A workspace of twelve candidates, and people who answer them at once: what the tests of the queue share."""

import itertools
from typing import Any

from anomagent.review.queue import Filters, Queue, Rules
from anomagent.state.reviews import Answer
from anomagent.store import Workspace, save_analysis
from tests.store.helpers import result
from tests.store.test_analyses import ready
from tests.store.test_candidates import anomaly, note_sources

ALL = Filters()
SOURCES = ("flux", "dalle")
NAMES = ("Floating chair", "Six fingers", "Odd thing")
IMAGES = 4


def fill_twelve(workspace: Workspace, images: int = IMAGES) -> None:
    """Images with 3 candidates each; each image has its own severities: 0, 1, 2, then 10, 11, 12 and so on."""
    for number in range(images):
        run, sha256 = ready(workspace, number, f"{number}.png")
        anomalies = [anomaly(name, 10 * number + place) for place, name in enumerate(NAMES)]
        save_analysis(workspace, run, result(sha256, f"{number}.png", anomalies=anomalies))
        note_sources(workspace, (sha256, f"{number}.png", SOURCES[number % 2]))


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


_numbers = itertools.count()


def answer(queue: Queue, annotator: str, id: int, verdict: str = "ACCEPT", **more: Any) -> bool:
    about = {"id": f"answer-{next(_numbers)}", "anomaly": id, "annotator": annotator, "verdict": verdict}
    said = Answer.model_validate({**about, "capacity": queue.capacity(annotator), **more})
    return (queue.withdraw(said) if verdict == "WITHDRAWN" else queue.answer(said)).stored


def take(queue: Queue, annotator: str, verdict: str = "ACCEPT", filters: Filters = ALL) -> int | None:
    """Answer the next candidate."""
    found = queue.next(annotator, filters)
    if found is not None:
        assert answer(queue, annotator, found.id, verdict)
    return found and found.id


def take_all(queue: Queue, annotator: str, verdict: str = "ACCEPT", filters: Filters = ALL) -> list[int]:
    found: list[int] = []
    while (id := take(queue, annotator, verdict, filters)) is not None:
        found.append(id)
    return found


def image_of(queue: Queue, id: int) -> str:
    candidate = queue.get(id)
    assert candidate is not None
    return candidate.image


def load(workspace: Workspace, clock: Clock | None = None, **rules: Any) -> Queue:
    return Queue.load(workspace, None, Rules(**rules), clock=clock or Clock())
