from __future__ import annotations

from collections.abc import Sequence

import pytest

from anomagent.evaluation.pairs import Pair
from anomagent.evaluation.similarity import Backbone
from anomagent.evaluation.similarity.embedder import Embedder
from anomagent.state.findings import Anomaly
from tests.evaluation.similarity.reference import LAYER, MINILM
from tests.evaluation.similarity.tiny import LAYER as TINY_LAYER
from tests.evaluation.similarity.tiny import save

PHRASES = (
    "A hand with six fingers holds a cup.",
    "The cup floats above the table and nothing holds it up.",
    "",
    "The mirror shows a face that nobody in the room has, which no reflection can do.",
    "A bicycle without spokes.",
    "Six fingers.",
    "The shadow falls towards the lamp, although light travels away from it.",
)


@pytest.fixture(scope="session")
def minilm() -> Embedder:
    return Embedder(Backbone(MINILM, LAYER))


@pytest.fixture(scope="session")
def tiny_bert(tmp_path_factory: pytest.TempPathFactory) -> Backbone:
    return Backbone(save("bert", tmp_path_factory.mktemp("backbones") / "tiny-bert"), TINY_LAYER)


def anomalies(texts: Sequence[str]) -> list[Anomaly]:
    """An anomaly for each text; its reasoning is the text read backwards, word by word."""
    return [
        Anomaly(name="x", phenomenon=text, reasoning=" ".join(reversed(text.split())), severity=10) for text in texts
    ]


@pytest.fixture
def pairs() -> list[Pair]:
    """Five images; the fourth has no prediction, the last repeats the first one's texts."""
    sides = [((0, 1, 2), (3, 4)), ((5, 1), (0, 6, 6)), ((4,), (4,)), ((), (1,)), ((3, 0), (0, 1))]
    return [
        Pair(f"{number}.png", anomalies([PHRASES[i] for i in left]), anomalies([PHRASES[i] for i in right]))
        for number, (left, right) in enumerate(sides)
    ]
