"""Which images stay by their scores: shown first, decided when asked to, and decided anew as often as wanted."""

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import Final

from anomagent.dataset.histogram import Histogram
from anomagent.dataset.scores import PROMPT_SIMILARITY, values_of
from anomagent.dataset.wordings import PHOTO, REALISM
from anomagent.errors import UsageError
from anomagent.store.duplicates import read_stand_ins
from anomagent.store.image_scores import scored_images
from anomagent.store.selections import newest_selections, write_changes
from anomagent.store.steps import DatasetStep
from anomagent.store.workspace import Workspace

SCORES: Final[dict[str, tuple[float, float]]] = {
    REALISM.score: (0.0, 1.0),
    PHOTO.score: (0.0, 1.0),
    PROMPT_SIMILARITY: (-1.0, 1.0),
}
"""The scores, each with its least and most."""

_GRAIN: Final = 0.05
"""A histogram of similarities begins and ends at a multiple of this: they fill a small part of their range."""


@dataclass(frozen=True)
class Thresholds:
    """Below one of these an image goes; None decides nothing. Raises `UsageError` for what no score can be."""

    realism: float | None = None
    prompt_similarity: float | None = None
    photo: float | None = None

    def __post_init__(self) -> None:
        for score, (least, most) in SCORES.items():
            value = self.of(score)
            if value is not None and not least <= value <= most:
                flag = f"--{score.replace('_', '-')}-min"
                raise UsageError(f"{flag} {value:g}: must be between {least:g} and {most:g}")

    def of(self, score: str) -> float | None:
        """The threshold of a score."""
        return getattr(self, score)

    def broken_by(self, values: dict[str, float]) -> list[str]:
        """The scores that are below their thresholds; one that there is not decides nothing."""
        wanted = {score: self.of(score) for score in values}
        return [score for score, least in wanted.items() if least is not None and values[score] < least]


@dataclass
class Prospect:
    """What thresholds do to a workspace's images."""

    thresholds: Thresholds
    values: dict[str, list[float]] = field(default_factory=lambda: {score: [] for score in SCORES})
    """Of every score, those of all images that have it, by content hash."""
    decisions: list[tuple[str, bool, str | None]] = field(default_factory=list[tuple[str, bool, str | None]])
    """Content hash, whether the image stays, and the scores for which it goes."""
    below: Counter[str] = field(default_factory=Counter[str])
    """Images that are below the threshold of a score; one may be below several."""
    without_prompt: int = 0
    """Measured images of which no prompt is known: they stay, whatever similarity is wanted."""
    unmeasured: int = 0
    """Images without scores: nothing is decided about them."""
    bereft: int = 0
    """Images that go now and stood for near-duplicates which would stay: `dedupe` brings these back."""

    @property
    def kept(self) -> int:
        """Measured images that stay."""
        return sum(kept for _, kept, _ in self.decisions)

    def histograms(self) -> dict[str, Histogram]:
        """How each score is spread, of those that any image has."""
        return {score: _histogram(score, values) for score, values in self.values.items() if values}


def foresee(workspace: Workspace, model: str, thresholds: Thresholds) -> Prospect:
    """What `thresholds` would do, by the scores of `model`, to the images that the ingest has not dropped.

    What an earlier filter or another stage decided plays no part: it is decided anew.
    """
    prospect = Prospect(thresholds)
    for image in scored_images(workspace, model):
        values = values_of(image)
        for score, value in values.items():
            prospect.values[score].append(value)
        if REALISM.score not in values:
            prospect.unmeasured += 1
            continue
        prospect.without_prompt += not image.prompts
        broken = thresholds.broken_by(values)
        prospect.below.update(broken)
        reason = ", ".join(f"{score} {values[score]:.4f} < {thresholds.of(score):g}" for score in broken)
        prospect.decisions.append((image.sha256, not broken, reason or None))
    prospect.bereft = _count_bereft(workspace, {sha256 for sha256, kept, _ in prospect.decisions if not kept})
    return prospect


def apply(workspace: Workspace, step: DatasetStep, prospect: Prospect) -> int:
    """Decide as foreseen, all or nothing, and return about how many images anything has changed."""
    return write_changes(workspace, step, "filter", prospect.decisions)


def result_of(prospect: Prospect) -> dict[str, object]:
    """The figures of a prospect, as the store and JSON keep them."""
    histograms = {
        score: {"edges": [round(edge, 6) for edge in histogram.edges], "counts": list(histogram.counts)}
        for score, histogram in prospect.histograms().items()
    }
    return {
        "measured": len(prospect.decisions),
        "kept": prospect.kept,
        "dropped": len(prospect.decisions) - prospect.kept,
        "below": {score: prospect.below[score] for score in SCORES if prospect.thresholds.of(score) is not None},
        "without_prompt": prospect.without_prompt,
        "unmeasured": prospect.unmeasured,
        "without_representative": prospect.bereft,
        "histograms": histograms,
    }


def _count_bereft(workspace: Workspace, gone: set[str]) -> int:
    with workspace.reading() as connection:
        before = newest_selections(connection, "filter")
    out = {sha256 for sha256, one in before.items() if not one.kept}
    stand_ins = read_stand_ins(workspace)
    return sum(one in gone and one not in out and not gone.issuperset(went) for one, went in stand_ins.items())


def _histogram(score: str, values: list[float]) -> Histogram:
    least, most = SCORES[score]
    if score == PROMPT_SIMILARITY:
        least = max(least, math.floor(min(values) / _GRAIN) * _GRAIN)
        most = min(most, max(least + _GRAIN, math.ceil(max(values) / _GRAIN) * _GRAIN))
    return Histogram.of(values, least, most)
