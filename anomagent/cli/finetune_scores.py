"""Scores of answers that a model generates while it is trained: the evaluator's own, on a sample."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from anomagent.errors import ConfigurationError

if TYPE_CHECKING:
    from anomagent.evaluation.pairs import Pair
    from anomagent.evaluation.similarity import Scorer
    from anomagent.finetune.config import TrainConfig
    from anomagent.finetune.generation import Generated, Score


def sample_score(config: "TrainConfig") -> "Score | None":
    """What judges generated answers, its sentence encoder loaded now; None where the configuration wants none.

    Raises `ConfigurationError` where it cannot be loaded, before hours are spent.
    """
    wanted = config.eval
    if not wanted.sample:
        return None
    if config.data.eval is None:
        raise ConfigurationError("eval.sample needs instances to answer; add --set data.eval=FILE")
    from anomagent.evaluation.similarity import Scorer
    from anomagent.evaluation.similarity.backbone import DEFAULT_BACKBONE, Backbone

    # On the CPU: the GPU's memory is for training.
    scorer = Scorer(Backbone(wanted.backbone or DEFAULT_BACKBONE, wanted.layer, device="cpu"))
    return lambda generated: judge(generated, scorer)


def judge(generated: "Sequence[Generated]", scorer: "Scorer") -> dict[str, float]:
    """SemF1, precision and recall (view Full, means over thresholds and images) of generated anomaly lists.

    The released protocol, images with nothing on both sides left out. An answer that did not end is an empty list, and
    counted in `unreadable` (a share) with those of which an entry cannot be read.
    """
    from anomagent.evaluation.pairs import VIEWS
    from anomagent.evaluation.scores import score
    from anomagent.state.classic_text import parse_anomalies

    pairs = [_pair(one) for one in generated]
    scores = score(pairs, scorer.similarities(pairs), "released", empty="skip")
    view, counted = list(VIEWS).index("Full"), scores.counted
    unreadable = sum(one.text is None or bool(parse_anomalies(one.text).refusals) for one in generated)
    found = {"semf1": scores.f1, "precision": scores.precision, "recall": scores.recall}
    means = {name: float(values[counted, view].mean()) for name, values in found.items()} if counted.any() else {}
    return {**means, "unreadable": unreadable / max(1, len(generated))}


def _pair(one: "Generated") -> "Pair":
    from anomagent.evaluation.pairs import Pair
    from anomagent.state.classic_text import parse_anomalies

    answer = one.instance.turns[-1][1]
    return Pair(one.instance.id, parse_anomalies(one.text or "").anomalies, parse_anomalies(answer).anomalies)
