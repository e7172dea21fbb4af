from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given

from anomagent.evaluation.matches import Match
from anomagent.evaluation.measures import Measure
from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.evaluation.paper import average_precision, measure_outcomes, rank_predictions, scan_predictions
from tests.evaluation.metric_cases import anomalies, images, matrix

HIT, MISS = Match(0, 0, 1.0), None

# Three predictions of severity 50, 10 and 30, so ranked 1, 2, 0; two ground truths.
TABLE = matrix([[0.95, 0.10], [0.85, 0.75], [0.90, 0.72]])
RANKED, LISTED = [1, 2, 0], [0, 1, 2]


def test_the_least_plausible_comes_first_and_equals_as_listed() -> None:
    listed = anomalies(50, 10, 30, 10)
    assert rank_predictions(listed, "implausibility") == [1, 3, 2, 0]
    assert rank_predictions(listed, "listed") == [0, 1, 2, 3]


def test_at_a_low_threshold_each_takes_the_best_that_is_free() -> None:
    # 1 takes ground truth 0 (.85 > .75), 2 is left with 1 (.72), 0 with nothing.
    outcomes = scan_predictions(TABLE, TABLE, RANKED, 0.7)
    assert outcomes == [Match(1, 0, 0.85), Match(2, 1, 0.72), None]
    # AP = P(1) * 1/2 + P(2) * 1/2 = 1; precision 2/3, recall 1, F1 = 2 * 2 / (3 + 2).
    assert measure_outcomes(outcomes, 2) == Measure(2, 2 / 3, 1.0, 0.8, 1.0)


def test_a_locked_ground_truth_is_not_given_twice() -> None:
    # 1 takes 0; for 2 only .72 < .8 is left; for 0, .95 is locked.
    outcomes = scan_predictions(TABLE, TABLE, RANKED, 0.8)
    assert outcomes == [Match(1, 0, 0.85), None, None]
    # AP = P(1) * 1/2; precision 1/3, recall 1/2, F1 = 2 / 5.
    assert measure_outcomes(outcomes, 2) == Measure(1, 1 / 3, 0.5, 0.4, 0.5)


def test_each_threshold_has_its_own_scan_and_includes_its_value() -> None:
    # At .9 prediction 1 finds nothing, so 2 takes ground truth 0 with exactly .9, at rank 2.
    outcomes = scan_predictions(TABLE, TABLE, RANKED, 0.9)
    assert outcomes == [None, Match(2, 0, 0.9), None]
    # AP = P(2) * 1/2 = 1/4.
    assert measure_outcomes(outcomes, 2) == Measure(1, 1 / 3, 0.5, 0.4, 0.25)
    # In listed order prediction 0 is first and takes it: AP = P(1) * 1/2.
    listed = scan_predictions(TABLE, TABLE, LISTED, 0.9)
    assert listed == [Match(0, 0, 0.95), None, None]
    assert measure_outcomes(listed, 2).ap == 0.5


def test_ties_go_to_the_higher_full_then_to_the_smaller_index() -> None:
    view = matrix([[0.8, 0.8, 0.8]])
    assert scan_predictions(view, matrix([[0.7, 0.75, 0.75]]), [0], 0.7) == [Match(0, 1, 0.8)]
    assert scan_predictions(view, view, [0], 0.7) == [Match(0, 0, 0.8)]


def test_a_repeated_prediction_is_false() -> None:
    # The first takes the only ground truth (AP = P(1) = 1), the second has none: precision 1/2, F1 2/3.
    outcomes = scan_predictions(matrix([[0.9], [0.9]]), matrix([[0.9], [0.9]]), [0, 1], 0.7)
    assert outcomes == [Match(0, 0, 0.9), None]
    assert measure_outcomes(outcomes, 1) == Measure(1, 0.5, 1.0, 2 / 3, 1.0)


def test_average_precision_of_a_late_hit_and_of_a_missed_ground_truth() -> None:
    # Hits at ranks 1, 3, 4 of 4 ground truths: (1/1 + 2/3 + 3/4) / 4 = (29/12) / 4.
    assert average_precision([HIT, MISS, HIT, HIT], 4) == pytest.approx(float(Fraction(29, 48)))
    assert average_precision([MISS, MISS], 1) == 0


@pytest.mark.parametrize(("predictions", "ground_truth"), [(0, 0), (0, 2), (2, 0)])
def test_an_empty_side_is_zero_throughout(predictions: int, ground_truth: int) -> None:
    nothing = np.zeros((predictions, ground_truth))
    outcomes = scan_predictions(nothing, nothing, range(predictions), 0.7)
    assert measure_outcomes(outcomes, ground_truth) == Measure(0, 0, 0, 0, 0)


def naive(similarity: Similarity, alpha: float, severities: list[int], threshold: float) -> tuple[Fraction, int]:
    """AP and TP straight from the definition: masks over whole matrices, recall differences as fractions."""
    view, full = similarity.fused(alpha), similarity.fused(0.5)
    total = view.shape[1]
    remaining = list(enumerate(severities))
    locked: list[int] = []
    points: list[tuple[Fraction, Fraction]] = []
    ap = Fraction(0)
    while remaining:
        first = min(severity for _, severity in remaining)
        index = next(index for index, severity in remaining if severity == first)
        remaining.remove((index, first))
        eligible = [g for g in range(total) if g not in locked and view[index, g] >= threshold]
        best = [g for g in eligible if view[index, g] == max(view[index, h] for h in eligible)]
        best = [g for g in best if full[index, g] == max(full[index, h] for h in best)]
        locked += best[:1]
        recall = Fraction(len(locked), total) if total else Fraction(0)
        points.append((Fraction(len(locked), len(severities) - len(remaining)), recall))
        if best:
            ap += points[-1][0] * (recall - (points[-2][1] if len(points) > 1 else 0))
    return ap, len(locked)


@pytest.mark.parametrize("threshold", [0.25, 0.5, 0.75])
@pytest.mark.parametrize("alpha", [0.0, 0.5, 1.0])
@given(image=images())
def test_the_scan_is_what_the_definition_says(alpha: float, threshold: float, image: tuple[Pair, Similarity]) -> None:
    a_pair, similarity = image
    order = rank_predictions(a_pair.predictions, "implausibility")
    outcomes = scan_predictions(similarity.fused(alpha), similarity.fused(0.5), order, threshold)
    measure = measure_outcomes(outcomes, len(a_pair.ground_truth))
    ap, tp = naive(similarity, alpha, [anomaly.severity for anomaly in a_pair.predictions], threshold)
    assert (measure.ap, measure.tp) == (pytest.approx(float(ap)), tp)


@given(images())
def test_matching_is_one_to_one_and_every_match_reaches_the_threshold(image: tuple[Pair, Similarity]) -> None:
    a_pair, similarity = image
    outcomes = scan_predictions(similarity.phenomenon, similarity.fused(0.5), range(len(a_pair.predictions)), 0.5)
    matches = [match for match in outcomes if match]
    assert len({match.ground_truth for match in matches}) == len(matches)
    assert all(match.similarity == similarity.phenomenon[match.prediction, match.ground_truth] for match in matches)
    assert all(match.similarity >= 0.5 for match in matches)
