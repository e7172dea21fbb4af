"""Places the objects of a scene side by side, so that nothing hides anything and nothing is cut off."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from anomagent.scenes.catalogue import Side, ground_of
from anomagent.scenes.scene import CANVAS, Box, Scene, SceneObject

MARGIN: Final = 4.0
"""The frame of the canvas that objects and shadows never reach; the recogniser of scenes relies on it."""

CAR_ROOF: Final = 43.0
TABLE_TOP: Final = 44.0
SHADOW_REACH: Final = 8.0
_HALO_RADIUS: Final = 27.0
_CLOCK_BOTTOM: Final = (72.0, 78.0)
_GAP: Final = 3.0

_EXTENTS: Final[dict[str, tuple[float, float, float]]] = {
    "table": (35, 35, 48),
    "chair": (24, 24, 67),
    "lamp": (18, 37, 99),
    "cup": (12, 17, 21),
    "cat": (27, 29, 46),
    "person": (23, 23, 92),
    "tree": (30, 30, 97),
    "car": (38, 38, 44),
    "clock": (21, 21, 42),
    "ball": (13, 13, 26),
    "plant": (22, 22, 51),
}
"""What each drawing needs to the left, to the right (facing right) and above its foot, at scale 1."""

_EXTENTS_OF_ANOMALY: Final[dict[str, tuple[float, float, float]]] = {
    "extra_arm": (23, 40, 92),
    "two_tails": (41, 29, 46),
}


@dataclass(frozen=True)
class Actor:
    """An object that has its looks but no place yet; the fields are those of `SceneObject`."""

    kind: str
    anomaly: str | None
    colour: str
    facing: int
    scale: float
    lift: float
    lit: bool
    plugged: bool
    variant: int

    @property
    def reach(self) -> tuple[float, float, float]:
        """Units needed to the left, to the right and above the foot."""
        left, right, up = _EXTENTS_OF_ANOMALY.get(self.anomaly or "", _EXTENTS[self.kind])
        if self.facing < 0:
            left, right = right, left
        return left * self.scale, right * self.scale, up * self.scale


@dataclass(frozen=True)
class _Column:
    """An actor on the floor (or a clock alone on the wall) and the one above it, if any."""

    foot: Actor
    rider: Actor | None = None

    def sides(self, light: int) -> tuple[float, float]:
        """Units needed to the left and right of the axis, with the shadow on the side away from the light."""
        left, right, _ = self.foot.reach
        if self.foot.kind == "lamp":
            left, right = (max(side, _HALO_RADIUS * self.foot.scale) for side in (left, right))
        if self.foot.kind != "clock":
            left, right = (left, right + SHADOW_REACH) if light < 0 else (left + SHADOW_REACH, right)
        if self.rider is not None:
            rider_left, rider_right, _ = self.rider.reach
            left, right = max(left, rider_left), max(right, rider_right)
        return left, right


def lay_out(rng: Random, scene: Scene, actors: Sequence[Actor]) -> tuple[SceneObject, ...] | None:
    """Gives every actor a place in the scene, from left to right, or None where they do not fit."""
    columns = _columns(rng, actors)
    rng.shuffle(columns)
    sides = [column.sides(scene.light) for column in columns]
    slack = CANVAS - 2 * MARGIN - sum(map(sum, sides)) - _GAP * (len(columns) - 1)
    if slack < 0:
        return None
    cuts = sorted(rng.uniform(0, slack) for _ in columns)
    placed: list[SceneObject] = []
    used = MARGIN
    for column, (left, right), cut in zip(columns, sides, cuts, strict=True):
        placed += _place_column(rng, scene, column, used + cut + left)
        used += left + right + _GAP
    return _named(placed)


def _columns(rng: Random, actors: Sequence[Actor]) -> list[_Column]:
    """Pairs things that can stand above each other: tree and car, cup and table, clock and anything low."""
    waiting = list(actors)
    columns: list[_Column] = []
    while waiting:
        foot = next((actor for actor in waiting if not _may_ride(actor)), waiting[0])
        waiting.remove(foot)
        riders = [actor for actor in waiting if _fits_on(actor, foot)]
        rider = next((actor for actor in riders if actor.anomaly == "on_car"), None)
        if rider is None and riders and rng.random() < 0.7:
            rider = rng.choice(riders)
        if rider is not None:
            waiting.remove(rider)
        columns.append(_Column(foot, rider))
    return columns


def _may_ride(actor: Actor) -> bool:
    return actor.kind in ("clock", "cup", "plant") or actor.anomaly == "on_car"


def _fits_on(rider: Actor, foot: Actor) -> bool:
    if rider.anomaly == "on_car":
        return foot.kind == "car" and foot.anomaly in (None, "square_wheels", "no_shadow")
    if rider.kind == "clock":
        return foot.kind != "clock" and foot.lift == 0 and foot.reach[2] <= 54
    return rider.kind in ("cup", "plant") and rider.anomaly is None and foot.kind == "table" and foot.anomaly is None


def _place_column(rng: Random, scene: Scene, column: _Column, x: float) -> list[SceneObject]:
    foot, rider = column.foot, column.rider
    if foot.kind == "clock":
        return [_object(scene, foot, x, rng.uniform(*_CLOCK_BOTTOM), "on the wall")]
    ground = f"on the {ground_of(scene.setting)}"
    # A lamp stands near the wall, where its cord can reach the socket.
    base = rng.uniform(126, 138) if foot.kind == "lamp" else rng.uniform(137, 157)
    if rider is not None and rider.anomaly == "on_car":
        base = rng.uniform(148, 157)
    placed = [_object(scene, foot, x, base, "in the air" if foot.lift else ground)]
    if rider is None:
        return placed
    if rider.kind == "clock":
        return [*placed, _object(scene, rider, x, rng.uniform(*_CLOCK_BOTTOM), "on the wall")]
    if foot.kind == "car":
        return [*placed, _object(scene, rider, x, base - CAR_ROOF * foot.scale, "on the car")]
    aside = rng.uniform(-10, 10)
    return [*placed, _object(scene, rider, x + aside, base - TABLE_TOP * foot.scale, "on the table")]


def _object(scene: Scene, actor: Actor, x: float, base: float, place: str) -> SceneObject:
    x, base, lift, scale = (round(value, 2) for value in (x, base, actor.lift, actor.scale))
    left, right, up = actor.reach
    box = (x - left, base - lift - up, x + right, base - lift)
    return SceneObject(
        id=0,
        kind=actor.kind,
        name=actor.kind,
        colour=actor.colour,
        place=place,
        side=_side(box),
        box=_rounded(box),
        anomalies=() if actor.anomaly is None else (actor.anomaly,),
        x=x,
        base=base,
        lift=lift,
        scale=scale,
        facing=actor.facing,
        lit=actor.lit,
        plugged=actor.plugged,
        socket=round(base - scene.horizon + 12, 2) if actor.kind == "lamp" else 0.0,
        variant=actor.variant,
    )


def _rounded(box: Box) -> Box:
    x0, y0, x1, y1 = (round(value, 2) for value in box)
    return x0, y0, x1, y1


def _side(box: Box) -> Side:
    centre = (box[0] + box[2]) / 2
    if centre < CANVAS / 3:
        return "left"
    return "right" if centre > CANVAS * 2 / 3 else "centre"


def _named(objects: Sequence[SceneObject]) -> tuple[SceneObject, ...]:
    """Ids from left to right, and names that are unique: numbered where a kind occurs more than once."""
    ordered = sorted(objects, key=lambda item: (item.box[0] + item.box[2], item.box[1]))
    kinds = [item.kind for item in ordered]
    named: list[SceneObject] = []
    for rank, item in enumerate(ordered):
        number = kinds[: rank + 1].count(item.kind)
        name = item.kind if kinds.count(item.kind) == 1 else f"{item.kind} {number}"
        named.append(replace(item, id=rank, name=name))
    return tuple(named)
