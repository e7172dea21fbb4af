"""Dense labels of a scene on a coarse grid, which teach the vision tower of the embedded model where things are."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from anomagent.scenes.catalogue import ANOMALIES, COLOUR_NAMES, KINDS
from anomagent.scenes.scene import CANVAS, Box, Scene

LABELS: Final[tuple[str, ...]] = (*KINDS, *COLOUR_NAMES, *(kind.id for kind in ANOMALIES))
"""One column per label: kinds of object, then colours, then anomalies."""

_INDEX: Final = {label: index for index, label in enumerate(LABELS)}
_MIN_COVER: Final = 0.22


def cells(scene: Scene, grid: int = 6) -> NDArray[np.bool_]:
    """Which labels hold in which cell: shape (grid * grid, len(LABELS)), row by row from the top left.

    An object's labels hold in every cell that its box covers by more than a fifth, and in the cell of its centre.
    """
    truth = np.zeros((grid, grid, len(LABELS)), dtype=np.bool_)
    for item in scene.objects:
        labels = [_INDEX[label] for label in (item.kind, item.colour, *item.anomalies)]
        rows, columns = np.nonzero(_covered(item.box, grid))
        for label in labels:
            truth[rows, columns, label] = True
    return truth.reshape(grid * grid, len(LABELS))


def _covered(box: Box, grid: int) -> NDArray[np.bool_]:
    """The cells, shape (grid, grid), that belong to the box."""
    step = CANVAS / grid
    x0, y0, x1, y1 = (value / step for value in box)
    edges = np.arange(grid, dtype=np.float64)
    wide = np.clip(np.minimum(edges + 1, x1) - np.maximum(edges, x0), 0, None)
    high = np.clip(np.minimum(edges + 1, y1) - np.maximum(edges, y0), 0, None)
    covered = np.outer(high, wide) > _MIN_COVER
    covered[int((y0 + y1) / 2), int((x0 + x1) / 2)] = True
    return covered
