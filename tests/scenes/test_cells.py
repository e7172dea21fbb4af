"""Cell labels say what is where."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from anomagent.scenes import CANVAS, compose
from anomagent.scenes.cells import LABELS, cells


def test_one_label_per_kind_colour_and_anomaly() -> None:
    assert len(LABELS) == len(set(LABELS)) == 11 + 10 + 14


@given(st.integers(0, 10**6), st.sampled_from([4, 6, 12]))
def test_every_object_is_labelled_at_its_centre(seed: int, grid: int) -> None:
    scene = compose(seed)
    truth = cells(scene, grid)
    assert truth.shape == (grid * grid, len(LABELS))
    for item in scene.objects:
        x, y = (item.box[0] + item.box[2]) / 2, (item.box[1] + item.box[3]) / 2
        cell = int(y * grid / CANVAS) * grid + int(x * grid / CANVAS)
        assert all(truth[cell, LABELS.index(label)] for label in (item.kind, item.colour, *item.anomalies))


@given(st.integers(0, 10**6))
def test_nothing_else_is_labelled(seed: int) -> None:
    scene = compose(seed)
    present = {label for item in scene.objects for label in (item.kind, item.colour, *item.anomalies)}
    assert {label for label, column in zip(LABELS, cells(scene).T, strict=True) if column.any()} == present
