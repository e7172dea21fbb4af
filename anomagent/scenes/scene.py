"""A scene as data: what stands where, and what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from anomagent.scenes.catalogue import Setting, Side

CANVAS: Final = 168
"""Side of the square canvas; every length in a scene is in its units, with y pointing down."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class SceneObject:
    """One object.

    `id` is its rank from left to right and `name` is unique in the scene. `box` (x0, y0, x1, y1) bounds the drawing
    without its shadow. The rest is what the drawing needs: `x` and `base` are the foot of the object, or of its shadow
    where it is lifted by `lift`; `facing` is 1 to the right and -1 to the left; `variant` seeds meaningless details.
    """

    id: int
    kind: str
    name: str
    colour: str
    place: str
    side: Side
    box: Box
    anomalies: tuple[str, ...]
    x: float
    base: float
    lift: float = 0.0
    scale: float = 1.0
    facing: int = 1
    lit: bool = False
    plugged: bool = True
    socket: float = 0.0
    variant: int = 0

    def has(self, anomaly: str) -> bool:
        """Whether this object carries the anomaly of that id."""
        return anomaly in self.anomalies

    @property
    def casts_shadow(self) -> bool:
        """Whether a shadow is drawn: not on walls, tables and cars, and not where its absence is the anomaly."""
        return self.place in ("on the floor", "on the ground", "in the air") and not self.has("no_shadow")


@dataclass(frozen=True)
class Scene:
    """A rendered scene's ground truth; `light` is -1 where the light comes from the left and 1 from the right."""

    seed: int
    setting: Setting
    light: int
    horizon: float
    backdrop: int
    objects: tuple[SceneObject, ...] = field(default=())

    @property
    def anomalies(self) -> list[tuple[str, str]]:
        """(object name, anomaly id) for every planted anomaly, from left to right."""
        return [(item.name, anomaly) for item in self.objects for anomaly in item.anomalies]
