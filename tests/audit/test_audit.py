import json
import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from anomagent.audit.audit import Generator, audit
from anomagent.audit.pairing import adjust_p_values, fold_prompt
from anomagent.errors import UsageError
from anomagent.state.findings import Anomaly
from tests.audit.builders import annotations, generator


def entries(result: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {entry["generator"]: entry for entry in result["generators"]}


def kind_by_severity(anomaly: Anomaly) -> str:
    return "support" if anomaly.severity < 50 else "light"


def test_generators_are_ranked_by_the_product_of_means():
    # worse: MAI (1 + 0)/2, AF (1 + 0)/2 -> 0.25; better: MAI (0.5 + 0)/2 = 0.25, AF 0.5 -> 0.125; even has that, too
    result = audit([generator("worse", [[0], []]), generator("even", [[], [50]]), generator("better", [[50], []])])
    ranks = [(entry["rank"], entry["generator"], entry["cap_of_means"]) for entry in result["generators"]]
    assert ranks == [(1, "better", 0.125), (1, "even", 0.125), (3, "worse", 0.25)]


def test_the_two_caps_differ_where_anomalies_cluster():
    # Images [0, 0] and []: CAP 2 * 2 = 4 and 0, mean 2; means 1 and 1, product 1
    entry = audit([generator("g", [[0, 0], []])])["generators"][0]
    assert (entry["cap_mean"], entry["cap_of_means"], entry["without_anomaly"]) == (2, 1, 0.5)
    assert entry["intervals"]["cap_mean"] == [0, 4]


def test_kinds_are_counted_for_every_generator_that_shows_any():
    result = audit(
        [generator("a", [[0, 10], [90], []]), generator("b", [[0]]), generator("c", [[]])], kind_of=kind_by_severity
    )
    kinds = {name: entry["kinds"] for name, entry in entries(result).items()}
    assert kinds["a"]["support"] == {"count": 2, "per_image": pytest.approx(2 / 3), "share": pytest.approx(2 / 3)}
    assert kinds["a"]["light"] == {"count": 1, "per_image": pytest.approx(1 / 3), "share": pytest.approx(1 / 3)}
    assert kinds["b"]["light"] == {"count": 0, "per_image": 0, "share": 0}
    assert kinds["c"]["light"] == {"count": 0, "per_image": 0, "share": None}


def test_without_a_taxonomy_there_are_no_kinds():
    assert audit([generator("a", [[0]])])["generators"][0]["kinds"] == {}


def test_failures_and_bad_entries_are_counted_and_in_no_mean():
    found = annotations({"a.png": [0, 0], "b.png": []}, failed=["c.png"], bad=["a.png", "b.png"])
    entry = audit([Generator("g", found)])["generators"][0]
    assert (entry["images"], entry["failures"], entry["bad_entries"], entry["af"]) == (1, 2, 2, 2)
    assert (entry["intervals"], entry["no_intervals"]) == (None, "a single image gives no interval")


def test_a_generator_whose_every_image_failed_has_no_measure_and_comes_last():
    result = audit(
        [Generator("gone", annotations({}, failed=["a.png"])), generator("z", [[0]])], kind_of=kind_by_severity
    )
    assert [entry["generator"] for entry in result["generators"]] == ["z", "gone"]
    gone = entries(result)["gone"]
    assert (gone["rank"], gone["mai"], gone["cap_of_means"], gone["failures"]) == (None, None, None, 1)
    assert gone["kinds"]["support"] == {"count": 0, "per_image": None, "share": None}


def test_prompts_are_compared_where_all_generators_drew_them():
    # Common are "a cat" and "a Dog". first: cat [0] and [0, 0] -> CAP (1 + 4)/2 = 2.5; Dog [] -> 0; mean 1.25.
    # second: cat [50] -> 0.5; Dog [0] -> 1; mean 0.75. Difference 0.5.
    first = generator("first", [[0], [0, 0], [], [0]], ["a cat", " a  cat\n", "a Dog", "a dog"])
    second = generator("second", [[50], [0], [0]], ["a cat", "a Dog", "a fish"])
    paired = audit([first, second])["paired"]
    assert paired["prompts"] == 2
    on_common = {entry["generator"]: entry for entry in paired["generators"]}
    assert (on_common["first"]["cap_mean"], on_common["second"]["cap_mean"]) == (1.25, 0.75)
    # first's MAI is ((1 + 2)/2 + 0)/2 = 0.75, its AF the same; half of the prompts are free of anomalies
    assert (on_common["first"]["cap_of_means"], on_common["first"]["without_anomaly"]) == (0.5625, 0.5)
    assert on_common["first"]["prompts_known"] == 3
    (pair,) = paired["pairs"]
    sign = 1 if pair["a"] == "first" else -1
    assert (sign * pair["difference"], sorted(map(abs, pair["interval"]))) == (0.5, [1, 2])  # 2.5 - 0.5 = 2, 0 - 1 = -1
    assert (pair["p_value"], paired["no_p_values"]) == (None, "2 common prompts: too few for a p-value, which needs 10")


def test_prompts_are_compared_after_folding():
    assert fold_prompt(" a\u00a0café \n\tat Night") == "a café at Night"
    assert fold_prompt("cafe\u0301") == "café"


def test_every_pair_is_compared_once():
    generators = [generator(name, [[0], [50]] * 5, [f"prompt {n}" for n in range(10)]) for name in "abcd"]
    pairs = {(pair["a"], pair["b"]): pair["p_adjusted"] for pair in audit(generators)["paired"]["pairs"]}
    assert pairs == dict.fromkeys([("a", "b"), ("a", "c"), ("a", "d"), ("b", "c"), ("b", "d"), ("c", "d")], 1)


def test_a_single_common_prompt_gives_differences_without_p_values():
    (pair,) = audit([generator("a", [[0]], ["x"]), generator("b", [[50]], ["x"])])["paired"]["pairs"]
    expected = {"a": "b", "b": "a", "difference": -0.5, "interval": None, "p_value": None, "p_adjusted": None}
    assert pair == expected  # in the order of the ranking


@pytest.mark.parametrize(("prompts", "p_value"), [(9, None), (10, 0.002)])
def test_few_common_prompts_give_differences_without_p_values(prompts: int, p_value: float | None):
    # a has CAP 1 and b 0.5 on every prompt, so no resample is at or across 0: p = 2 (0 + 1) / (999 + 1).
    names = [f"prompt {n}" for n in range(prompts)]
    generators = [generator("a", [[0]] * prompts, names), generator("b", [[50]] * prompts, names)]
    paired = audit(generators, resamples=999)["paired"]
    (pair,) = paired["pairs"]
    assert (pair["difference"], pair["interval"]) == (-0.5, [-0.5, -0.5])
    assert (pair["p_value"], pair["p_adjusted"]) == (p_value, p_value)
    assert (paired["no_p_values"] is None) == (p_value is not None)


def test_p_values_are_adjusted_for_their_number():
    # Holm: sorted 0.01 * 3 = 0.03, 0.02 * 2 = 0.04, 0.9 * 1; then never less than the one before, and at most 1
    assert adjust_p_values([0.02, 0.9, 0.01]) == pytest.approx([0.04, 0.9, 0.03])
    assert adjust_p_values([0.6, 0.7]) == [1, 1]
    assert adjust_p_values([]) == []


def test_a_prompt_whose_images_failed_is_not_common():
    failing = Generator("f", annotations({"a.png": [0]}, failed=["b.png"]), {"a.png": "x", "b.png": "y"})
    assert audit([failing, generator("g", [[0], [0]], ["x", "y"])])["paired"]["prompts"] == 1


@pytest.mark.parametrize(
    ("generators", "reason"),
    [
        ([generator("a", [[0]], ["x"])], "a comparison needs two generators"),
        ([generator("a", [[0]], ["x"]), generator("b", [[0]])], "no prompt is known for b"),
        ([generator("a", [[0]], ["x"]), generator("b", [[0]], ["y"])], "no prompt is common to all generators"),
        ([generator("a", [[0]], ["x"]), generator("b", [[0]], [" \n"])], "no prompt is known for b"),
    ],
)
def test_what_cannot_be_paired_says_why(generators: list[Generator], reason: str):
    result = audit(generators)
    assert (result["paired"], result["not_paired"]) == (None, reason)


@pytest.mark.parametrize(("names", "word"), [([], "no generator"), (["a", "b", "a"], "called 'a'")])
def test_no_generators_and_equal_names_are_refused(names: list[str], word: str):
    with pytest.raises(UsageError, match=word):
        audit([generator(name, [[0]]) for name in names])


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), max_size=3), max_size=5), st.randoms(use_true_random=False))
def test_order_changes_nothing_and_everything_is_json(images: list[list[int]], random: Any):
    shuffled = random.sample(images, len(images))
    a, b = (audit([generator("a", each), generator("b", [[0], []])], resamples=100) for each in (images, shuffled))
    assert a == b
    assert a == audit([generator("b", [[0], []]), generator("a", images)], resamples=100)
    assert json.loads(json.dumps(a, allow_nan=False)) == a


@settings(max_examples=20, deadline=None)
@given(st.lists(st.lists(st.integers(0, 100), max_size=3), min_size=2, max_size=6))
def test_an_interval_holds_its_bounds_in_order(images: list[list[int]]):
    entry = audit([generator("a", images)], resamples=100)["generators"][0]
    for low, high in entry["intervals"].values():
        assert 0 <= low <= high
        assert math.isfinite(high)
