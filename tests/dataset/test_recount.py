"""People against agents on the same images."""

from collections.abc import Iterable, Sequence

from anomagent.dataset.recount import Lists, Matrix, compare_words, recount
from anomagent.state.findings import Anomaly
from tests.dataset.filling import anomaly


def of(*names: str) -> list[Anomaly]:
    return [Anomaly(**anomaly(name)) for name in names]


def test_pairs_are_one_to_one_and_the_most_similar_first() -> None:
    def compare(images: Sequence[Lists]) -> Iterable[Matrix]:
        assert [(len(agents), len(people)) for agents, people in images] == [(2, 2)]
        # 0.9 takes the first of both; then 0.8 and 0.7 are taken, and 0.4 is left, too little.
        return [[[0.9, 0.8], [0.7, 0.4]]]

    found = recount({"a": of("x", "y"), "b": of("z")}, {"a": of("u", "v"), "c": of("w")}, compare, 0.5)
    assert (found.images, found.human, found.agent, found.matched) == (1, 2, 2, 1)
    assert (found.human_share, found.agent_share) == (0.5, 0.5)


def test_words_in_another_order_are_the_same() -> None:
    one = Anomaly(name="a", phenomenon="The chair floats in the air", reasoning="Gravity pulls it down", severity=1)
    other = Anomaly(name="b", phenomenon="in the air floats the chair", reasoning="it gravity pulls down", severity=9)
    far = Anomaly(name="c", phenomenon="Six fingers on one hand", reasoning="People have five", severity=9)
    ((row,),) = compare_words([([one], [other, far])])
    assert row[0] == 1.0
    assert row[1] < 0.55


def test_an_empty_side_has_no_share() -> None:
    found = recount({"a": []}, {"a": of("x")}, compare_words, 0.5)
    assert (found.matched, found.human_share, found.agent_share) == (0, 0.0, None)
