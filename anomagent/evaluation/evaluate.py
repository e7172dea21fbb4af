"""One evaluation, from what two files say to the scores: bring the images together, compare their sentences, match."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from anomagent.benchmark.annotations import AnnotationSet
from anomagent.evaluation.pairing import Missing, Pairing, pair_up
from anomagent.evaluation.pairs import THRESHOLDS, Pair, Similarity
from anomagent.evaluation.paper import RankBy
from anomagent.evaluation.scores import EmptyRule, Protocol, Rules, Scores, score
from anomagent.evaluation.similarity.backbone import Backbone
from anomagent.evaluation.summary import CURVE_THRESHOLDS, CurveRow, curve_rows, summarise

CompareImages = Callable[[Sequence[Pair]], Iterable[Similarity]]
"""Measures the similarity of every image, in order: `Scorer.similarities`."""


@dataclass(frozen=True)
class Choices:
    """How to score; what is None follows the protocol."""

    protocol: Protocol = "released"
    rank_by: RankBy = "implausibility"
    empty: EmptyRule | None = None
    missing: Missing = "error"
    thresholds: tuple[float, ...] = THRESHOLDS


@dataclass(frozen=True)
class Evaluation:
    """Everything that figures, tables and reports are made of."""

    pairing: Pairing
    similarities: tuple[Similarity, ...]
    """By image, in the order of the pairs."""
    scores: Scores
    backbone: Backbone

    def summary(self) -> dict[str, Any]:
        """The figures as plain values; see `summarise`."""
        return summarise(self.scores, self.pairing, self.backbone.name, self.backbone.depth)

    def curve(self, thresholds: Sequence[float] = CURVE_THRESHOLDS) -> list[CurveRow]:
        """SemAP and SemF1 of the same matching rules at other thresholds; nothing is embedded again."""
        rules = self.scores.rules
        ranked = rules.rank_by or "implausibility"
        pairs = self.pairing.pairs
        return curve_rows(score(pairs, self.similarities, rules.protocol, thresholds, ranked, rules.empty))


def evaluate(
    predictions: AnnotationSet,
    ground_truth: AnnotationSet,
    compare: CompareImages,
    backbone: Backbone,
    choices: Choices | None = None,
) -> Evaluation:
    """Score `predictions` against `ground_truth`.

    Entries that could not be read are in no list (`AnnotationSet.bad`), they are only counted; refuse them before with
    `require_whole`. Raises `UsageError` as `pair_up` and `Rules.of` do, before `compare` is asked for anything.
    """
    chosen = choices or Choices()
    rules = chosen.protocol, chosen.thresholds, chosen.rank_by, chosen.empty
    Rules.of(*rules)
    pairing = pair_up(predictions, ground_truth, chosen.missing)
    similarities = tuple(compare(pairing.pairs))
    return Evaluation(pairing, similarities, score(pairing.pairs, similarities, *rules), backbone)
