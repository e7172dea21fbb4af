"""Composed scenes are reproducible, balanced, and their ground truth is consistent."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter
from itertools import combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from anomagent.scenes import ANOMALIES, ANOMALY_BY_ID, CANVAS, Scene, compose
from anomagent.scenes.catalogue import COLOUR_NAMES, KINDS_BY_SETTING, ODD_COLOURS, PLACES, SIDES
from anomagent.scenes.layout import MARGIN

MANY = [compose(seed) for seed in range(1000)]

seeds = st.integers(min_value=-(10**9), max_value=10**9)


@given(seeds, st.sampled_from([None, 0, 1, 2, 3]))
def test_same_seed_same_scene(seed: int, anomalies: int | None) -> None:
    assert compose(seed, anomalies) == compose(seed, anomalies)


def test_same_scene_in_another_process() -> None:
    code = "from anomagent.scenes import compose; print([compose(seed) for seed in range(20)])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == str(MANY[:20])


@given(seeds, st.integers(0, 3))
def test_the_number_of_anomalies_can_be_fixed(seed: int, anomalies: int) -> None:
    assert len(compose(seed, anomalies).anomalies) == anomalies


@pytest.mark.parametrize("anomalies", [-1, 4])
def test_a_number_out_of_range_is_refused(anomalies: int) -> None:
    with pytest.raises(ValueError, match="between 0 and 3"):
        compose(1, anomalies)


@given(seeds)
def test_ground_truth_is_consistent(seed: int) -> None:
    scene = compose(seed)
    names = [item.name for item in scene.objects]
    assert 2 <= len(names) == len(set(names)) <= 4
    assert [item.id for item in scene.objects] == list(range(len(names)))
    centres = [item.box[0] + item.box[2] for item in scene.objects]
    assert centres == sorted(centres)
    for item in scene.objects:
        assert item.kind in KINDS_BY_SETTING[scene.setting]
        assert item.colour in COLOUR_NAMES
        assert item.place in PLACES
        assert item.side in SIDES
        assert len(item.anomalies) <= 1
        assert (item.place == "in the air") == item.has("floating")
        assert (item.place == "on the car") == item.has("on_car")
        assert (item.colour in ODD_COLOURS.get(item.kind, ())) == item.has("odd_colour")
        assert (item.lit and not item.plugged) == item.has("unpowered")
        assert all(item.kind in ANOMALY_BY_ID[anomaly].objects for anomaly in item.anomalies)
    assert all(name in names for name, _ in scene.anomalies)


@given(seeds)
def test_twins_are_numbered_from_left_to_right(seed: int) -> None:
    kinds = Counter(item.kind for item in compose(seed).objects)
    expected = {
        kind: [kind] if count == 1 else [f"{kind} {n + 1}" for n in range(count)] for kind, count in kinds.items()
    }
    for kind, names in expected.items():
        assert [item.name for item in compose(seed).objects if item.kind == kind] == names


@given(seeds)
def test_nothing_is_cut_off_or_hidden(seed: int) -> None:
    scene = compose(seed)
    for item in scene.objects:
        assert all(MARGIN - 0.01 <= value <= CANVAS - MARGIN + 0.01 for value in item.box)
    for one, other in combinations(scene.objects, 2):
        wide = min(one.box[2], other.box[2]) - max(one.box[0], other.box[0])
        high = min(one.box[3], other.box[3]) - max(one.box[1], other.box[1])
        standing = "on the table" in (one.place, other.place) or "on the car" in (one.place, other.place)
        assert wide <= 0 or high <= (5 if standing else 0)


def test_a_missing_shadow_can_be_told_from_a_scene_without_shadows() -> None:
    for scene in (scene for scene in MANY if any(anomaly == "no_shadow" for _, anomaly in scene.anomalies)):
        assert any(item.casts_shadow for item in scene.objects)


def test_a_quarter_of_the_scenes_is_clean() -> None:
    planted = Counter(len(scene.anomalies) for scene in MANY)
    assert planted[0] / len(MANY) == pytest.approx(0.25, abs=0.04)
    assert planted[1] / len(MANY) == pytest.approx(0.40, abs=0.05)
    assert planted[3] / len(MANY) == pytest.approx(0.10, abs=0.03)


def test_kinds_of_anomaly_are_balanced() -> None:
    counts = Counter(anomaly for scene in MANY for _, anomaly in scene.anomalies)
    mean = counts.total() / len(ANOMALIES)
    assert all(0.6 * mean < counts[kind.id] < 1.5 * mean for kind in ANOMALIES)


def test_some_scenes_hold_two_objects_of_a_kind() -> None:
    def has_twins(scene: Scene) -> bool:
        return len({item.kind for item in scene.objects}) < len(scene.objects)

    assert sum(map(has_twins, MANY)) / len(MANY) == pytest.approx(0.15, abs=0.03)
