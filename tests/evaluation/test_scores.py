from collections.abc import Iterator, Sequence
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.errors import UsageError
from anomagent.evaluation.matches import EVERY_THRESHOLD
from anomagent.evaluation.pairs import THRESHOLDS, VIEWS, Pair, Similarity
from anomagent.evaluation.scores import EmptyRule, Protocol, Scores, score
from tests.evaluation.metric_cases import alike, images, matrix, pair

BOTH: list[Protocol] = ["paper", "released"]
PHE, REA, FULL = range(3)


def empty_sides(protocol: Protocol, empty: EmptyRule | None) -> Scores:
    """Images with nothing at all, without ground truth, without predictions, and perfectly found."""
    pairs = [pair([], 0, "none.png"), pair([5], 0, "false.png"), pair([], 2, "missed.png"), pair([5], 1, "found.png")]
    tables = [alike([], 0), alike([[]]), alike([], 2), alike([[1.0]])]
    return score(pairs, tables, protocol, empty=empty)


@pytest.mark.parametrize(
    ("protocol", "empty", "expected"),
    [
        ("paper", None, [1, 0, 0, 1]),
        ("paper", "score", [1, 0, 0, 1]),
        ("paper", "zero", [0, 0, 0, 1]),
        ("paper", "skip", [0, 0, 0, 1]),
        ("released", None, [0, 0, 0, 1]),
        ("released", "skip", [0, 0, 0, 1]),
    ],
)
def test_empty_sides(protocol: Protocol, empty: EmptyRule | None, expected: list[float]) -> None:
    scores = empty_sides(protocol, empty)
    for values in (scores.ap, scores.f1, scores.precision, scores.recall):
        assert values[:, FULL, 0].tolist() == expected
    assert scores.both_empty.tolist() == [True, False, False, False]
    assert scores.counted.tolist() == [empty != "skip", True, True, True]
    assert scores.tp[:, FULL, 0].tolist() == [0, 0, 0, 1]


def test_the_rule_in_force_is_kept() -> None:
    paper, released = empty_sides("paper", None).rules, empty_sides("released", None).rules
    assert (paper.empty, paper.rank_by, paper.thresholds) == ("score", "implausibility", THRESHOLDS)
    assert (released.empty, released.rank_by) == ("zero", None)


def test_views_are_scored_apart() -> None:
    # Phe .9, Rea .6: Full .75. At .7 Phe and Full find it, at .8 and .9 only Phe.
    scores = score([pair([0], 1)], [Similarity(matrix([[0.9]]), matrix([[0.6]]))])
    assert scores.tp[0].tolist() == [[1, 1, 1], [0, 0, 0], [1, 0, 0]]
    assert list(VIEWS) == ["Phe", "Rea", "Full"]


def test_paper_records_the_true_positives_of_each_threshold_and_released_every_match_once() -> None:
    tables = [Similarity(matrix([[0.85]]), matrix([[0.75]]))]
    paper = score([pair([0], 1)], tables, "paper").matches
    # Phe .85 reaches .7 and .8, Rea .75 and Full .8 reach .7 (Full also .8).
    rows = list(zip(paper.view.tolist(), paper.threshold.tolist(), paper.similarity.tolist(), strict=True))
    assert rows == [(PHE, 0, 0.85), (PHE, 1, 0.85), (REA, 0, 0.75), (FULL, 0, 0.8), (FULL, 1, 0.8)]
    assert set(zip(paper.phenomenon.tolist(), paper.reasoning.tolist(), strict=True)) == {(0.85, 0.75)}
    released = score([pair([0], 1)], tables, "released").matches
    assert released.view.tolist() == [PHE, REA, FULL]
    assert released.threshold.tolist() == [EVERY_THRESHOLD] * 3


def test_streams_are_read_in_step_and_may_be_generators() -> None:
    taken: list[str] = []

    def pairs() -> Iterator[Pair]:
        for name in ("a.png", "b.png"):
            taken.append(name)
            yield pair([0], 1, name)

    def tables() -> Iterator[Similarity]:
        for _ in range(2):
            taken.append("table")
            yield alike([[0.75]])

    scores = score(pairs(), tables())
    assert taken == ["a.png", "table", "b.png", "table"]
    assert scores.images == ("a.png", "b.png")
    assert scores.matches.of_image(1) == range(3, 6)


@pytest.mark.parametrize(
    "table", [alike([[0.5, 0.5]]), Similarity(matrix([[float("nan")]]), matrix([[0.5]]))], ids=["shape", "not a number"]
)
def test_similarities_of_another_image_are_refused(table: Similarity) -> None:
    with pytest.raises(ValueError, match=r"'a\.png': phenomenon similarities must be finite and \(1, 1\)"):
        score([pair([0], 1)], [table])


@pytest.mark.parametrize("thresholds", [[], [0.9, 0.7], [0.7, 0.7], [0.0], [1.5], [float("nan")]])
def test_thresholds_must_make_sense(thresholds: Sequence[float]) -> None:
    with pytest.raises(UsageError, match="must rise and lie above 0"):
        score([], [], thresholds=thresholds)


def test_released_has_no_reward_for_silence() -> None:
    with pytest.raises(UsageError, match="no --empty score"):
        empty_sides("released", "score")


@pytest.mark.parametrize("protocol", BOTH)
@given(image=images())
def test_all_figures_lie_within_0_and_1_and_no_more_is_found_than_there_is(
    protocol: Protocol, image: tuple[Pair, Similarity]
) -> None:
    scores = score([image[0]], [image[1]], protocol, (0.25, 0.5, 0.75))
    for values in (scores.ap, scores.f1, scores.precision, scores.recall):
        assert ((values >= 0) & (values <= 1)).all()
    assert (scores.tp <= min(len(image[0].predictions), len(image[0].ground_truth))).all()
    levels = list(enumerate(scores.rules.thresholds))
    counted = [[int(scores.matches.hits(view, *level).sum()) for level in levels] for view in range(3)]
    assert scores.tp[0].tolist() == counted


@pytest.mark.parametrize("protocol", BOTH)
@given(count=st.integers(1, 5))
def test_a_perfect_prediction_scores_1(protocol: Protocol, count: int) -> None:
    table = np.where(np.eye(count) > 0, 1.0, 0.95)
    scores = score([pair([10] * count, count)], [Similarity(table, table)], protocol)
    assert (scores.ap == 1).all()
    assert (scores.f1 == 1).all()


@pytest.mark.parametrize("protocol", BOTH)
@given(image=images(distinct=True), seed=st.integers(0, 1000))
def test_the_order_of_the_lists_does_not_matter_without_ties(
    protocol: Protocol, image: tuple[Pair, Similarity], seed: int
) -> None:
    # Full is a mean of two fields and may tie, so only the views of one field are compared.
    a_pair, similarity = image
    rows, columns = list(range(len(a_pair.predictions))), list(range(len(a_pair.ground_truth)))
    Random(seed).shuffle(rows)
    Random(seed + 1).shuffle(columns)
    shuffled = Pair(a_pair.image, [a_pair.predictions[row] for row in rows], a_pair.ground_truth)
    tables = Similarity(*(field[rows][:, columns] for field in (similarity.phenomenon, similarity.reasoning)))
    before, after = (
        score([p], [t], protocol, (0.25, 0.5, 0.75)) for p, t in ((a_pair, similarity), (shuffled, tables))
    )
    np.testing.assert_allclose(before.ap[:, :FULL], after.ap[:, :FULL])
    assert (before.tp[:, :FULL] == after.tp[:, :FULL]).all()


@pytest.mark.parametrize("protocol", BOTH)
@given(several=st.lists(images(), max_size=4))
def test_images_do_not_touch_each_other(protocol: Protocol, several: list[tuple[Pair, Similarity]]) -> None:
    together = score(*([image[side] for image in several] for side in (0, 1)), protocol)  # type: ignore[arg-type]
    alone = [score([a_pair], [similarity], protocol) for a_pair, similarity in several]
    assert together.ap.tolist() == [scores.ap[0].tolist() for scores in alone]
    assert len(together.matches) == sum(len(scores.matches) for scores in alone)
