import numpy as np
import pytest
from hypothesis import given

from anomagent.evaluation.matches import Match
from anomagent.evaluation.measures import Measure
from anomagent.evaluation.pairs import THRESHOLDS, Pair, Similarity
from anomagent.evaluation.released import match_greedily, measure_matches
from tests.evaluation.metric_cases import RECORDED, images, matrix


def recorded_matches(alpha: str, image: str) -> list[Match]:
    return [Match(p["pred_index"], p["gt_index"], p["score"]) for p in RECORDED["pairs"][alpha][image]]


@pytest.mark.parametrize("image", RECORDED["per_image"])
@pytest.mark.parametrize("threshold", THRESHOLDS)
def test_recorded_pairs_give_the_recorded_figures_of_the_authors_evaluator(image: str, threshold: float) -> None:
    expected = RECORDED["per_image"][image]
    predictions, ground_truth = expected["num_predictions"], expected["num_ground_truths"]

    measure = measure_matches(recorded_matches("0.5", image), predictions, ground_truth, threshold)

    figures = expected["by_threshold"][str(threshold)]
    assert (measure.tp, predictions - measure.tp, ground_truth - measure.tp) == tuple(
        figures[name] for name in ("TP", "FP", "FN")
    )
    assert tuple(round(value, 4) for value in measure[1:]) == tuple(
        figures[name] for name in ("Precision", "Recall", "F1", "SemAP")
    )


@pytest.mark.parametrize("image", RECORDED["per_image"])
def test_an_image_of_the_record_averages_over_the_thresholds(image: str) -> None:
    expected = RECORDED["per_image"][image]
    sizes = expected["num_predictions"], expected["num_ground_truths"]
    measures = [measure_matches(recorded_matches("0.5", image), *sizes, threshold) for threshold in THRESHOLDS]
    assert round(float(np.mean([measure.ap for measure in measures])), 4) == expected["SemAP"]
    assert round(float(np.mean([measure.f1 for measure in measures])), 4) == expected["SemF1"]


@pytest.mark.parametrize("alpha", RECORDED["pairs"])
@pytest.mark.parametrize("image", RECORDED["per_image"])
def test_greedy_matching_repeats_the_recorded_order(alpha: str, image: str) -> None:
    matches = recorded_matches(alpha, image)
    sizes = RECORDED["per_image"][image]
    # Elsewhere less similar than the least similar recorded pair, which is all that the record can tell.
    fused = np.full((sizes["num_predictions"], sizes["num_ground_truths"]), 0.001)
    for prediction, ground_truth, similarity in matches:
        fused[prediction, ground_truth] = similarity
    assert match_greedily(fused) == matches


def test_the_best_pair_goes_first_even_where_two_others_would_be_better_together() -> None:
    # .9 is the best of all; it leaves .1 for the rest, though .85 + .8 would be more than .9 + .1.
    assert match_greedily(matrix([[0.9, 0.8], [0.85, 0.1]])) == [Match(0, 0, 0.9), Match(1, 1, 0.1)]


def test_of_equal_pairs_the_smaller_prediction_then_the_smaller_ground_truth_goes_first() -> None:
    # All four are .8: (0, 0) first. In the second table (0, 1) and (1, 0) are equal, prediction 0 comes first.
    assert match_greedily(matrix([[0.8, 0.8], [0.8, 0.8]])) == [Match(0, 0, 0.8), Match(1, 1, 0.8)]
    assert match_greedily(matrix([[0.2, 0.8], [0.8, 0.3]])) == [Match(0, 1, 0.8), Match(1, 0, 0.8)]


def test_scores_are_clipped_before_they_are_compared() -> None:
    # 1.2 and 1.1 are both 1, a tie that the smaller prediction index wins.
    assert match_greedily(matrix([[1.1], [1.2]])) == [Match(0, 0, 1.0)]


def test_nothing_similar_is_not_matched() -> None:
    # (0, 0) is matched; what is left is 0 and below.
    assert match_greedily(matrix([[0.5, 0.3], [0.4, 0.0]])) == [Match(0, 0, 0.5)]
    assert match_greedily(matrix([[-0.5]])) == []


@pytest.mark.parametrize(("predictions", "ground_truth"), [(0, 0), (0, 3), (3, 0)])
def test_an_empty_side_is_zero_throughout(predictions: int, ground_truth: int) -> None:
    assert match_greedily(np.zeros((predictions, ground_truth))) == []
    assert measure_matches([], predictions, ground_truth, 0.7) == Measure(0, 0, 0, 0, 0)


def test_a_repeated_prediction_costs_precision() -> None:
    # Both say the same of one ground truth: TP 1 of 2 predictions, recall 1, F1 = 2 * 1 / (2 + 1).
    matches = match_greedily(matrix([[0.9], [0.9]]))
    assert measure_matches(matches, 2, 1, 0.9) == Measure(1, 0.5, 1.0, 2 / 3, 0.5)


@given(images())
def test_matching_is_one_to_one_and_best_first(image: tuple[Pair, Similarity]) -> None:
    fused = image[1].fused(0.5)
    matches = match_greedily(fused)
    assert len({match.prediction for match in matches}) == len({match.ground_truth for match in matches})
    assert len({match.prediction for match in matches}) == len(matches)
    similarities = [match.similarity for match in matches]
    assert similarities == sorted(similarities, reverse=True)


@given(images())
def test_greedy_is_what_repeated_search_for_the_best_gives(image: tuple[Pair, Similarity]) -> None:
    left = image[1].fused(0.5).copy()
    expected: list[Match] = []
    while left.size and left.max() > 0:
        prediction, ground_truth = divmod(int(left.argmax()), left.shape[1])
        expected.append(Match(prediction, ground_truth, float(left.max())))
        left[prediction, :] = left[:, ground_truth] = 0
    assert match_greedily(image[1].fused(0.5)) == expected


@given(images())
def test_a_stricter_threshold_never_finds_more(image: tuple[Pair, Similarity]) -> None:
    a_pair, similarity = image
    matches = match_greedily(similarity.fused(1.0))
    sizes = len(a_pair.predictions), len(a_pair.ground_truth)
    found = [measure_matches(matches, *sizes, number / 20).tp for number in range(1, 21)]
    assert found == sorted(found, reverse=True)
