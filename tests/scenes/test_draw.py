"""Drawings show what the ground truth says, where it says it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from anomagent.scenes import ANOMALIES, CANVAS, AnomalyKind, Scene, SceneObject, compose
from anomagent.scenes.draw import draw

Pixels = NDArray[np.int16]


def pixels(scene: Scene) -> Pixels:
    """The drawing with one pixel per canvas unit."""
    return np.asarray(draw(scene, CANVAS), dtype=np.int16)


def difference(one: Scene, other: Scene) -> NDArray[np.bool_]:
    """Which pixels differ clearly, shape (168, 168)."""
    return np.abs(pixels(one) - pixels(other)).max(axis=-1) > 40


def repaired(item: SceneObject) -> SceneObject:
    """The same object without its anomaly."""
    usual = "green" if item.kind == "tree" else "orange"
    return replace(
        item,
        anomalies=(),
        lift=0.0,
        plugged=True,
        scale=1.0 if item.has("oversized") else item.scale,
        colour=usual if item.has("odd_colour") else item.colour,
        base=item.base + 12 if item.has("on_car") else item.base,
        place="on the floor" if item.has("floating") else item.place,
    )


def scene_with(kind: AnomalyKind) -> tuple[Scene, SceneObject]:
    """A scene with that anomaly alone, and the object that carries it."""
    for seed in range(2000):
        scene = compose(seed, 1)
        bearer = next((item for item in scene.objects if item.has(kind.id)), None)
        if bearer is not None:
            return scene, bearer
    raise AssertionError(f"no scene shows {kind.id}")


@pytest.mark.parametrize("kind", ANOMALIES, ids=lambda kind: kind.id)
def test_an_anomaly_changes_the_drawing_where_its_object_is(kind: AnomalyKind) -> None:
    scene, bearer = scene_with(kind)
    normal = replace(scene, objects=tuple(repaired(item) if item is bearer else item for item in scene.objects))
    changed = difference(scene, normal)
    assert changed.sum() >= 60
    x0, y0, x1, y1 = (round(value) for value in bearer.box)
    # Where a shadow is missing, or an object has left its shadow, the ground beside the box changes as well.
    room = 12
    assert changed[y0 : y1 + room, max(0, x0 - room) : x1 + room].sum() >= 60


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10**6))
def test_a_box_bounds_its_drawing(seed: int) -> None:
    scene = compose(seed)
    empty = replace(scene, objects=())
    for item in scene.objects:
        alone = replace(item, place="on the wall", lit=False)
        drawn = difference(replace(scene, objects=(alone,)), empty)
        rows, columns = np.nonzero(drawn)
        x0, y0, x1, y1 = item.box
        # The plug of an unplugged lamp lies a little in front of its foot.
        slack = 8 if item.kind == "lamp" else 1.5
        assert x0 - 1.5 <= columns.min() < columns.max() <= x1 + 1.5
        assert y0 - 1.5 <= rows.min() < rows.max() <= y1 + slack
        assert columns.max() - columns.min() > 0.8 * (x1 - x0) - 2 or item.has("missing_leg")
        assert rows.max() - rows.min() > 0.8 * (y1 - y0) - 2


def test_drawing_is_reproducible() -> None:
    assert draw(compose(5), 200).tobytes() == draw(compose(5), 200).tobytes()


@pytest.mark.parametrize("size", [64, 168, 256, 257, 504])
def test_any_size(size: int) -> None:
    image = draw(compose(3), size)
    assert image.size == (size, size)
    assert image.mode == "RGB"
