import json
from collections.abc import Sequence

import pytest

from anomagent.errors import UsageError
from anomagent.evaluation.bootstrap import compare, intervals
from anomagent.evaluation.scores import Scores, score
from tests.evaluation.metric_cases import alike, pair


def hits(found: Sequence[int], first: int = 0) -> Scores:
    """One image each, found (SemAP = SemF1 = 1) or not (0)."""
    pairs = [pair([1], 1, f"{number}.png") for number in range(first, first + len(found))]
    return score(pairs, [alike([[float(hit)]]) for hit in found])


def test_interval_of_a_share_is_that_of_the_binomial() -> None:
    # 100 images, half found: resampled means are binomial(100, 1/2) / 100, whose 2.5 % and 97.5 % points are .40, .60.
    result = intervals(hits([0, 1] * 50), 5000, seed=1)
    for metric in ("SemAP", "SemF1"):
        for low, high in result[metric].values():
            assert (low, high) == pytest.approx((0.40, 0.60), abs=0.011)
    assert {key: result[key] for key in ("confidence", "resamples", "seed", "images", "note")} == {
        "confidence": 0.95,
        "resamples": 5000,
        "seed": 1,
        "images": 100,
        "note": None,
    }


def test_the_seed_decides() -> None:
    scores = hits([0, 1, 1] * 7)
    first = intervals(scores, 300, seed=3)
    assert intervals(scores, 300, seed=3) == first
    assert compare(scores, hits([1] * 21), 300, seed=3) != compare(scores, hits([1] * 21), 300, seed=4)


def test_one_image_and_equal_images_have_intervals_without_width() -> None:
    one, equal = intervals(hits([1]), 100), intervals(hits([1, 1, 1]), 100)
    assert one["SemAP"]["Full"] == equal["SemF1"]["Phe"] == [1.0, 1.0]
    assert "nothing to resample" in one["note"]
    assert equal["note"] is None
    json.dumps([one, equal], allow_nan=False)


def test_images_out_of_the_means_are_not_resampled() -> None:
    pairs = [pair([], 0, "empty.png"), pair([1], 1, "a.png"), pair([1], 1, "b.png")]
    scores = score(pairs, [alike([], 0), alike([[1.0]]), alike([[1.0]])], empty="skip")
    assert intervals(scores, 100)["images"] == 2
    with pytest.raises(UsageError, match="no image to resample"):
        intervals(score(pairs[:1], [alike([], 0)], empty="skip"), 100)


def test_a_clear_difference() -> None:
    # Every image is better in the first, so no resample reaches 0: p = 2 (1 + 0) / (999 + 1).
    better = compare(hits([1] * 20), hits([0] * 20), 999)["SemAP"]["Full"]
    assert better == {"difference": 1.0, "interval": [1.0, 1.0], "p": 0.002}
    worse = compare(hits([0] * 20), hits([1] * 20), 999)["SemF1"]["Rea"]
    assert worse == {"difference": -1.0, "interval": [-1.0, -1.0], "p": 0.002}


def test_equal_systems_differ_by_nothing() -> None:
    same = compare(hits([0, 1] * 5), hits([0, 1] * 5), 200)
    assert same["SemAP"]["Phe"] == {"difference": 0.0, "interval": [0.0, 0.0], "p": 1.0}
    assert same["note"] is None


def test_the_p_value_is_the_share_on_the_other_side_of_zero() -> None:
    # Differences: three times 1, seven times 0. A resample's mean is 0 with probability .7^10 = .0282, never below.
    result = compare(hits([1] * 3 + [0] * 7), hits([0] * 10), 20_000, seed=5)["SemAP"]["Full"]
    assert result["p"] == pytest.approx(2 * 0.7**10, abs=0.006)
    assert result["difference"] == pytest.approx(0.3)


@pytest.mark.parametrize("images", [1, 2, 9])
def test_few_images_have_no_p_value_and_the_note_says_so(images: int) -> None:
    result = compare(hits([1] * images), hits([0] * images), 200)
    assert result["SemF1"]["Full"] == {"difference": 1.0, "interval": [1.0, 1.0], "p": None}
    assert f"{images} image{'s' * (images > 1)}: too few for a p-value, which needs 10" in result["note"]
    assert ("nothing to resample" in result["note"]) == (images == 1)
    assert intervals(hits([1, 0]), 200)["note"] is None


def test_images_are_paired_by_name_on_those_common_to_both() -> None:
    # First has images 0 to 3, second 2 to 5 in another order: common 2 (1 against 0) and 3 (0 against 0).
    first, second = hits([0, 0, 1, 0]), hits([0, 0, 1, 1], first=2)
    result = compare(first, second, 100)
    assert (result["images"], result["only_first"], result["only_second"]) == (2, 2, 2)
    assert result["SemAP"]["Full"]["difference"] == 0.5
    with pytest.raises(UsageError, match="share none"):
        compare(hits([1]), hits([1], first=5), 100)


def test_different_rules_are_not_compared() -> None:
    other = score([pair([1], 1, "0.png")], [alike([[1.0]])], "released")
    with pytest.raises(UsageError, match="different rules"):
        compare(hits([1]), other, 100)


def test_too_few_resamples_are_refused() -> None:
    with pytest.raises(UsageError, match="10 resamples are too few"):
        intervals(hits([1, 0]), 10)
    with pytest.raises(UsageError, match="seed -1 is negative"):
        intervals(hits([1, 0]), 100, seed=-1)


def test_images_are_drawn_together_for_all_views_and_metrics() -> None:
    # All six figures are equal image by image here, so their resamples are too.
    result = intervals(hits([0, 1, 1, 0, 1]), 200)
    limits = [limit for metric in ("SemAP", "SemF1") for limit in result[metric].values()]
    assert limits == [limits[0]] * 6
    assert limits[0][0] < limits[0][1]
