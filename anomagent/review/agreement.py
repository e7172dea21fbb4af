"""How far the people who reviewed agree, and how fast they are: standing answers only, adjudicators apart."""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations
from statistics import median
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from anomagent.benchmark.kinds import KINDS, Kind, title_of
from anomagent.errors import UsageError
from anomagent.state.reviews import VERDICTS, Answer, Verdict
from anomagent.statistics.agreement import MISSING, RESAMPLES, measure
from anomagent.statistics.resampling import CONFIDENCE
from anomagent.store import Workspace
from anomagent.store.exchange import classifying, reading_review

LONGEST_LOOK: Final = 300.0
"""Seconds that one answer counts at most in items per hour: whoever took longer was away from the screen."""

_Compared = tuple[Answer, Verdict | None]
"""An answer, and what others decided."""


@dataclass(frozen=True)
class _Item:
    """A candidate with standing answers."""

    image: str
    """The SHA-256 of its bytes."""
    kind: Kind
    source: str | None
    annotators: dict[str, Answer]
    adjudicators: dict[str, Answer]

    def decision_without(self, person: str | None) -> Verdict | None:
        """What more of the annotators but one accept or reject; None for a tie."""
        said = Counter(answer.verdict for name, answer in self.annotators.items() if name != person)
        if said["ACCEPT"] == said["REJECT"]:
            return None
        return "ACCEPT" if said["ACCEPT"] > said["REJECT"] else "REJECT"

    def adjudicated(self) -> Verdict | None:
        """What the adjudicators say; None without any, and where they disagree."""
        said = {answer.verdict for answer in self.adjudicators.values()}
        return next((verdict for verdict in VERDICTS if said == {verdict}), None)


def agreement_report(
    workspace: Workspace,
    run_id: str | None = None,
    *,
    binary: bool = False,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[str, Any]:
    """Agreement of all annotators, by pair, kind and source, and what each annotator and adjudicator did; plain data.

    Categories are ACCEPT, REJECT and UNSURE; with `binary`, UNSURE is an answer that is missing. Intervals are 95 %,
    over images, as the candidates of one image are not independent. Raises `UsageError` where nobody has answered, and
    for resamples or a seed that cannot work.
    """
    categories = VERDICTS[:2] if binary else VERDICTS
    items = _items(workspace, run_id)
    if not items:
        raise UsageError(f"workspace {workspace.path}: nobody has answered yet; begin with `anomagent review`")
    names = sorted({name for item in items for name in item.annotators})
    ratings = _ratings(items, names, categories)

    def figures(ratings: NDArray[np.integer[Any]], items: Sequence[_Item]) -> dict[str, Any]:
        images = [item.image for item in items]
        return measure(ratings, len(categories), resamples, seed, clusters=images, cluster="image").described()

    def group(is_in: Callable[[_Item], bool]) -> dict[str, Any]:
        rows = [row for row, item in enumerate(items) if is_in(item)]
        return figures(ratings[rows], [items[row] for row in rows])

    kinds: list[Kind] = [kind for kind in KINDS if any(item.kind == kind for item in items)]
    sources = sorted({item.source for item in items}, key=lambda source: (source is None, source or ""))
    pairs, apart = _pairs(ratings, items, names, figures)
    settings = {"categories": list(categories), "binary": binary, "resamples": resamples, "seed": seed}
    return {
        **settings,
        "confidence": CONFIDENCE,
        "longest_look": LONGEST_LOOK,
        "candidates": len(items),
        "all": figures(ratings, items),
        "pairs": pairs,
        "pairs_without_shared": apart,
        "by_kind": [{"kind": k, "title": title_of(k), **group(lambda item, k=k: item.kind == k)} for k in kinds],
        "by_source": [{"source": s, **group(lambda item, s=s: item.source == s)} for s in sources],
        "annotators": [_annotator(name, items, categories) for name in names],
        "adjudicators": _adjudicators(items, categories),
    }


def _items(workspace: Workspace, run_id: str | None) -> list[_Item]:
    found: list[_Item] = []
    with reading_review(workspace, run_id) as reading, classifying(workspace, run_id) as kind_of:
        for candidate, answers in reading.all_standing():
            by_capacity = {
                capacity: {answer.annotator: answer for answer in answers if answer.capacity == capacity}
                for capacity in ("annotator", "adjudicator")
            }
            people = by_capacity["annotator"], by_capacity["adjudicator"]
            found.append(_Item(candidate.sha256, kind_of(candidate), candidate.source, *people))
    return found


def _ratings(items: Sequence[_Item], names: Sequence[str], categories: Sequence[Verdict]) -> NDArray[np.int8]:
    """[items, annotators], each a place in `categories` or `MISSING`."""
    place: dict[str, int] = {verdict: number for number, verdict in enumerate(categories)}
    column = {name: number for number, name in enumerate(names)}
    ratings = np.full((len(items), len(names)), MISSING, np.int8)
    for row, item in enumerate(items):
        for name, answer in item.annotators.items():
            ratings[row, column[name]] = place.get(answer.verdict, MISSING)
    return ratings


_Figures = Callable[[NDArray[np.integer[Any]], Sequence[_Item]], dict[str, Any]]


def _pairs(
    ratings: NDArray[np.int8], items: Sequence[_Item], names: Sequence[str], figures: _Figures
) -> tuple[list[dict[str, Any]], int]:
    """Each two annotators over what both answered, and how many pairs have nothing in common."""
    found: list[dict[str, Any]] = []
    pairs = list(combinations(range(len(names)), 2))
    for first, second in pairs:
        given = ratings[:, [first, second]] != MISSING
        both = [row for row, answered in enumerate(given.all(axis=1)) if answered]
        if both:
            missing = {"missing": int(given.any(axis=1).sum()) - len(both)}
            people = {"first": names[first], "second": names[second]}
            shared = figures(ratings[both][:, [first, second]], [items[row] for row in both])
            found.append({**people, **shared, **missing})
    return found, len(pairs) - len(found)


def _annotator(name: str, items: Iterable[_Item], categories: Sequence[Verdict]) -> dict[str, Any]:
    own = [item for item in items if name in item.annotators]
    answers = [item.annotators[name] for item in own]
    others: list[_Compared] = [(item.annotators[name], item.decision_without(name)) for item in own]
    judges: list[_Compared] = [(item.annotators[name], item.adjudicated()) for item in own]
    compared = {"with_others": _share(others, categories), "with_adjudicators": _share(judges, categories)}
    return {"annotator": name, **_work(answers), **compared}


def _adjudicators(items: Iterable[_Item], categories: Sequence[Verdict]) -> list[dict[str, Any]]:
    by_name: defaultdict[str, list[_Compared]] = defaultdict(list)
    for item in items:
        for name, answer in item.adjudicators.items():
            by_name[name].append((answer, item.decision_without(None)))
    return [
        {
            "adjudicator": name,
            **_work([answer for answer, _ in said]),
            "with_annotators": _share(said, categories),
        }
        for name, said in sorted(by_name.items())
    ]


def _share(said: Iterable[_Compared], categories: Sequence[Verdict]) -> dict[str, Any]:
    """How often an answer is what was decided, over the categories."""
    compared = [
        answer.verdict == decided for answer, decided in said if answer.verdict in categories and decided in categories
    ]
    return {"items": len(compared), "share": sum(compared) / len(compared) if compared else None}


def _work(answers: Sequence[Answer]) -> dict[str, Any]:
    """How much somebody answered, how, and how fast."""
    said = Counter(answer.verdict for answer in answers)
    seconds = [answer.seconds for answer in answers if answer.seconds is not None]
    counted = sum(min(one, LONGEST_LOOK) for one in seconds)
    return {
        "answers": len(answers),
        **{verdict.lower(): said[verdict] for verdict in VERDICTS},
        "accept_share": said["ACCEPT"] / len(answers) if answers else None,
        "timed": len(seconds),
        "longer_looks": sum(one > LONGEST_LOOK for one in seconds),
        "median_seconds": median(seconds) if seconds else None,
        "items_per_hour": 3600 * len(seconds) / counted if counted else None,
    }
