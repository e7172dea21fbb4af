import json
from typing import Any

import numpy as np
import pytest

from anomagent.audit.agreement import agreement, audited_measures, published_measures
from anomagent.audit.audit import Generator, audit
from anomagent.errors import UsageError
from tests.audit.builders import annotations, generator

COLUMNS = ["AnomReasonor_MAI", "AnomReasonor_AF", "AnomReasonor_CAP", "AnomAgent_MAI", "AnomAgent_AF", "AnomAgent_CAP"]
TABLE_3 = {
    "Sana 1.5": [4.55, 6.29, 28.62, 6.66, 9.09, 60.49],
    "SDXL Lightning": [4.4, 6.06, 26.66, 6.47, 8.84, 57.21],
    "Sana Sprint 1.6B": [4.32, 6.09, 26.31, 6.42, 8.78, 56.35],
    "Qwen-Image": [4.45, 6.2, 27.59, 6.37, 8.72, 55.61],
    "HiDream-I1-Fast": [4.44, 6.19, 27.48, 6.32, 8.81, 55.68],
    "SDv3.5 Large": [4.6, 6.44, 29.62, 6.23, 8.54, 53.19],
    "Janus Pro 7B": [4.28, 6.75, 28.89, 6.49, 8.69, 56.39],
    "Janus Pro 1B": [4.19, 6.43, 26.94, 6.4, 8.41, 53.83],
    "FLUX.1 [dev]": [4.36, 6.08, 26.51, 6.22, 8.67, 53.92],
    "BRIA-3.2": [4.38, 6.14, 26.89, 6.11, 8.6, 52.61],
    "SDv3.5 Large Turbo": [4.4, 6.12, 26.93, 6.1, 8.44, 51.48],
    "Lumina Image V2": [4.3, 6.05, 26.01, 6.07, 8.4, 51.03],
    "HiDream-I1-Dev": [4.42, 6.15, 27.18, 6.0, 8.44, 50.62],
    "OmniGen V2": [4.21, 5.89, 24.8, 6.11, 8.49, 51.86],
    "HunyuanImage-2.1": [4.1, 5.95, 24.4, 6.14, 8.55, 52.51],
}
"""The paper's Table 3."""
PUBLISHED = {name: dict(zip(COLUMNS, row, strict=True)) for name, row in TABLE_3.items()}


def measures(values: dict[str, float]) -> dict[str, dict[str, float]]:
    return {name: {"mai": value} for name, value in values.items()}


def mai(a: dict[str, float], b: dict[str, float]) -> dict[str, Any]:
    return agreement(measures(a), measures(b))["measures"]["mai"]


def test_every_published_cap_is_the_product_of_the_published_means_within_rounding():
    # MAI and AF are rounded to 0.01, so their product is off by at most 0.005 * (MAI + AF), and the cell by 0.005 more.
    cells = [row[start : start + 3] for row in TABLE_3.values() for start in (0, 3)]
    assert len(cells) == 30
    for intensity, frequency, cap in cells:
        assert abs(cap - intensity * frequency) <= 0.005 * (intensity + frequency) + 0.005


def test_the_published_assessors_agree_as_computed_by_other_means():
    result = agreement(published_measures(PUBLISHED, "AnomReasonor"), published_measures(PUBLISHED, "AnomAgent"))
    assert result["measures"]["cap_mean"]["reason"] == "0 generators in common; an order needs 3"
    # CAP has no ties. Spearman is 1 - 6 * sum of squared rank differences / (n^3 - n); Kendall is the pairs in equal
    # order less those in reverse order, of n(n - 1)/2.
    x, y = np.array([row[2] for row in TABLE_3.values()]), np.array([row[5] for row in TABLE_3.values()])
    distances = (np.argsort(np.argsort(x)) - np.argsort(np.argsort(y))) ** 2
    pairs = [np.sign((x[i] - x[j]) * (y[i] - y[j])) for i in range(15) for j in range(i)]
    cap = result["measures"]["cap_of_means"]
    assert cap["n"] == 15
    assert cap["spearman"]["coefficient"] == pytest.approx(1 - 6 * distances.sum() / (15**3 - 15))
    assert cap["kendall"]["coefficient"] == pytest.approx(sum(pairs) / 105)
    assert distances.sum() == 346  # 1 - 2076/3360 = 0.382: the assessors agree in part, short of significance
    assert cap["spearman"]["p_value"] > 0.05


def test_one_exchange_of_four_by_hand():
    # Ranks 1 2 3 4 against 1 2 4 3. Spearman 1 - 6 * 2 / 60 = 0.8; Kendall (5 - 1)/6. Of the 24 orders, 0.8 or
    # more have the equal one and the three exchanges of neighbours: one-sided 4/24, two-sided 8/24.
    result = mai({"a": 1, "b": 2, "c": 3, "d": 4}, {"d": 30, "c": 40, "b": 20, "a": 10})
    assert result["spearman"] == pytest.approx({"coefficient": 0.8, "p_value": 1 / 3})
    assert result["kendall"]["coefficient"] == pytest.approx(2 / 3)
    assert (result["n"], result["reason"]) == (4, None)


def test_three_generators_in_the_same_order_are_not_proof():
    # one order of six agrees as well, one disagrees as much: p = 2/6
    assert mai({"a": 1, "b": 2, "c": 3}, {"a": 1, "b": 2, "c": 3})["spearman"] == pytest.approx(
        {"coefficient": 1, "p_value": 1 / 3}
    )


@pytest.mark.parametrize(
    ("a", "b", "reason"),
    [
        ({"x": 1, "y": 2}, {"x": 1, "y": 2}, "2 generators in common; an order needs 3"),
        ({"x": 1, "y": 2, "z": 3}, {"x": 1, "y": 1, "z": 1}, "an assessor gives all generators the same value"),
        ({"x": 1, "y": 2, "z": float("nan")}, {"x": 1, "y": 2, "z": 3}, "a value is not a finite number"),
    ],
)
def test_what_has_no_order_says_why(a: dict[str, float], b: dict[str, float], reason: str):
    result = mai(a, b)
    assert (result["spearman"], result["kendall"], result["reason"]) == (None, None, reason)


def test_names_are_matched_and_those_of_one_side_listed():
    result = agreement(measures({"a": 1, "b": 2, "only": 3}), measures({"b": 2, "a": 1, "other": 0}))
    assert (result["generators"], result["only_a"], result["only_b"]) == (["a", "b"], ["only"], ["other"])


def test_an_audit_is_an_assessor():
    generators = [generator(name, [[severity], []]) for name, severity in [("a", 0), ("b", 40), ("c", 80)]]
    gone = Generator("gone", annotations({}, failed=["x.png"]))
    read = audited_measures(json.loads(json.dumps(audit([*generators, gone]))))
    assert read["gone"] == {}
    result = agreement(read, measures({"a": 9, "b": 5, "c": 1, "gone": 2}))
    assert result["measures"]["mai"]["n"] == 3
    assert result["measures"]["mai"]["spearman"]["coefficient"] == pytest.approx(1)
    assert result["measures"]["af"]["n"] == 0


@pytest.mark.parametrize("value", [{}, {"generators": [{"generator": "a"}]}, {"generators": None}])
def test_what_is_no_audit_is_refused(value: dict[str, Any]):
    with pytest.raises(UsageError, match="no result of an audit"):
        audited_measures(value)


def test_an_unknown_assessor_is_refused():
    with pytest.raises(UsageError, match="no column 'Human_MAI'"):
        published_measures(PUBLISHED, "Human")
