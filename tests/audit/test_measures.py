from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.audit.measures import MEASURES, measure_image, measure_images, summarise
from anomagent.benchmark.reading import read_annotations
from tests.audit.builders import annotations, anomaly, write_json

severities = st.lists(st.lists(st.integers(0, 100), max_size=6), min_size=1, max_size=8)


def measures_of(images: list[list[int]]) -> dict[str, float]:
    table = measure_images(annotations({f"{index}.png": each for index, each in enumerate(images)}))
    return dict(zip(MEASURES, summarise(table.rows).tolist(), strict=True))


def test_one_image_by_hand():
    # (100 - 10)/100 + (100 - 50)/100 + (100 - 100)/100 = 0.9 + 0.5 + 0 = 1.4; three anomalies; 1.4 * 3 = 4.2
    measures = measure_image([anomaly(10), anomaly(50), anomaly(100)])
    assert (measures.mai, measures.af, measures.cap) == (1.4, 3, pytest.approx(4.2))


def test_an_image_without_anomalies_is_a_zero_and_not_left_out():
    # Images: [20, 60] -> MAI 1.2, AF 2, CAP 2.4; [] -> 0, 0, 0; [0] -> 1, 1, 1.
    # Means: MAI 2.2/3, AF 3/3 = 1, CAP 3.4/3; product of means 2.2/3; one of three without anomaly.
    measures = measures_of([[20, 60], [], [0]])
    assert measures == pytest.approx(
        {"mai": 2.2 / 3, "af": 1, "cap_mean": 3.4 / 3, "cap_of_means": 2.2 / 3, "without_anomaly": 1 / 3}
    )


def test_failed_images_are_in_no_row():
    table = measure_images(annotations({"a.png": [0]}, failed=["b.png"]))
    assert (table.keys, table.failed, table.rows.tolist()) == (("a.png",), ("b.png",), [[1, 1, 1, 0]])


def test_an_image_of_unreadable_entries_is_failed_not_clean(tmp_path: Path):
    good = {"name": "Odd hand", "phenomenon": "Six fingers.", "reasoning": "Hands have five.", "severity": 0}
    bad = {**good, "severity": "very low"}
    path = write_json(tmp_path / "found.json", {"some.png": [good, bad], "none.png": [bad], "clean.png": []})
    table = measure_images(read_annotations(path))
    assert (table.keys, table.failed) == (("some.png", "clean.png"), ("none.png",))
    assert table.rows[:, 1].tolist() == [1, 0]


def test_nothing_is_a_table_without_rows():
    assert measure_images(annotations({})).rows.shape == (0, 4)


def test_summaries_of_stacked_resamples():
    rows = np.arange(24, dtype=float).reshape(2, 3, 4)
    assert summarise(rows, axis=-2).T.tolist() == [summarise(rows[0]).tolist(), summarise(rows[1]).tolist()]


@given(severities)
def test_laws_of_the_measures(images: list[list[int]]):
    measures = measures_of(images)
    assert 0 <= measures["mai"] <= measures["af"] + 1e-9  # an anomaly adds at most 1 to MAI
    # CAP >= MAI wherever there is an anomaly, since AF is then at least 1
    assert measures["cap_mean"] >= measures["mai"] - 1e-9
    assert measures["cap_of_means"] == pytest.approx(measures["mai"] * measures["af"])


@given(st.lists(st.integers(1, 6), min_size=1, max_size=8), st.integers(0, 100))
def test_mean_cap_is_at_least_the_product_where_severity_is_constant(counts: list[int], severity: int):
    # MAI = c * AF with c >= 0, so cap_mean - cap_of_means = c * variance of AF >= 0
    measures = measures_of([[severity] * count for count in counts])
    assert measures["cap_mean"] >= measures["cap_of_means"] - 1e-9


@given(severities)
def test_twice_the_anomalies_double_mai_and_af_and_quadruple_cap(images: list[list[int]]):
    once, twice = measures_of(images), measures_of([each * 2 for each in images])
    assert twice["mai"] == pytest.approx(2 * once["mai"])
    assert twice["af"] == 2 * once["af"]
    assert twice["cap_mean"] == pytest.approx(4 * once["cap_mean"])
    assert twice["without_anomaly"] == once["without_anomaly"]
