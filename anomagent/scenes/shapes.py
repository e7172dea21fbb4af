"""The drawing of every kind of object, with its anomalies.

Parts whose number or form is an anomaly (legs, arms, tails, hands, wheels, plugs) are large, thick and far apart: they
have to be seen in an image of 168 pixels.
"""

from __future__ import annotations

from collections.abc import Callable
from math import cos, pi, radians, sin
from random import Random
from typing import Final

from anomagent.scenes import palette
from anomagent.scenes.palette import COLOURS, darker
from anomagent.scenes.pen import Pen, Point
from anomagent.scenes.scene import SceneObject


def table(pen: Pen, item: SceneObject) -> None:
    """Four legs under a wide top; the inner two stand further back."""
    for x, foot in _legs(item, ((-30, 3), (-11, 8), (11, 8), (30, 3))):
        pen.limb([(x, foot), (x, 38)], COLOURS[item.colour], 5.5)
    pen.polygon([(-34, 40), (34, 40), (28, 47), (-28, 47)], COLOURS[item.colour])
    pen.rectangle(-34, 35, 34, 41, darker(item.colour))


def chair(pen: Pen, item: SceneObject) -> None:
    """Four legs, a seat, and a back at the rear."""
    for x, foot in _legs(item, ((-20, 3), (-7, 7), (7, 7), (20, 3))):
        pen.limb([(x, foot), (x, 30)], COLOURS[item.colour], 5)
    pen.rectangle(-23, 32, -15, 66, darker(item.colour))
    pen.rectangle(-23, 29, 23, 36, COLOURS[item.colour])


def _legs(item: SceneObject, legs: tuple[Point, ...]) -> list[Point]:
    """The legs that are left: a missing one is always at a corner, where nothing else fills the gap."""
    if not item.has("missing_leg"):
        return list(legs)
    return list(legs[1:]) if item.variant % 2 else list(legs[:-1])


def lamp(pen: Pen, item: SceneObject) -> None:
    """A floor lamp, a wall socket in front of it, and a cord that ends in the socket or on the floor."""
    socket = item.socket / item.scale
    pen.rectangle(24, socket - 7, 36, socket + 7, palette.SOCKET)
    if item.plugged:
        pen.limb([(0, 3), (20, 1.5), (30, 8), (30, socket)], palette.CORD, 2.8, outline=False)
        pen.rectangle(26.5, socket - 4, 33.5, socket + 4, palette.CORD)
    else:
        for y in (-2.5, 2.5):
            pen.oval(30, socket + y, 1.6, 1.6, palette.INK, outline=False)
        pen.limb([(0, 3), (9, -4), (18, -1)], palette.CORD, 2.8, outline=False)
        for y in (-3, 1):
            pen.limb([(26, y), (32, y)], palette.HUB, 1.6)
        pen.rectangle(17, -6, 27, 4, palette.COLOURS["red"])
    pen.polygon([(-12, 0), (12, 0), (9, 5), (-9, 5)], palette.METAL)
    pen.rectangle(-2.5, 4, 2.5, 68, palette.METAL)
    pen.polygon([(-17, 66), (17, 66), (10, 97), (-10, 97)], COLOURS[item.colour])
    if item.lit:
        pen.polygon([(-17, 66), (17, 66), (14.5, 76), (-14.5, 76)], palette.LIGHT)
        pen.oval(0, 64, 6, 6, palette.LIGHT)


def cup(pen: Pen, item: SceneObject) -> None:
    """A cup with its handle in front."""
    pen.ring(9.5, 10, 6.5, 3.4, darker(item.colour))
    pen.polygon([(-8, 0.5), (8, 0.5), (11, 18), (-11, 18)], COLOURS[item.colour])
    pen.oval(0, 18, 11, 2.6, darker(item.colour))


def cat(pen: Pen, item: SceneObject) -> None:
    """A cat seen from the side; every tail has a contrasting tip, so that tails can be counted."""
    fur = COLOURS[item.colour]
    pale = item.colour in ("white", "orange", "pink")
    tip = COLOURS["black"] if pale else palette.CREAM
    tails = [[(-14, 20), (-21, 25), (-21, 38)]]
    if item.has("two_tails"):
        tails.append([(-13, 15), (-26, 13), (-34, 16)])
    for tail in tails:
        pen.limb(tail, fur, 6)
        pen.oval(*tail[-1], 4.6, 4.6, tip)
    for x in (-12, -5, 6, 13):
        pen.limb([(x, 3), (x, 12)], fur, 4)
    pen.oval(0, 18, 18, 9.5, fur)
    for x in (13, 22):
        pen.polygon([(x - 2.5, 34), (x + 5.5, 34), (x + 1.5, 45)], fur)
    pen.oval(19, 29, 9.5, 9, fur)
    eye = palette.INK if pale else palette.LIGHT
    for x in (16, 23):
        pen.oval(x, 31, 1.6, 2, eye, outline=False)
    pen.oval(21, 26.5, 1.5, 1.1, COLOURS["pink"], outline=False)


def person(pen: Pen, item: SceneObject) -> None:
    """A standing person; a third arm is raised far to the side."""
    rng = Random(item.variant)
    skin, hair = rng.choice(palette.SKINS), rng.choice(palette.HAIRS)
    lost = rng.choice((-1, 1)) if item.has("missing_leg") else 0
    for side in (-1, 1):
        if side != lost:
            pen.limb([(6.5 * side, 38), (8 * side, 6)], palette.TROUSERS, 7)
            pen.oval(9 * side, 3, 6, 3, palette.INK)
    arms: list[list[Point]] = [[(side * 10, 62), (side * 17, 50), (side * 18, 38)] for side in (-1, 1)]
    if item.has("extra_arm"):
        arms.append([(9, 60), (26, 66), (34, 84)])
    for arm in arms:
        pen.limb(arm, darker(item.colour), 6)
        pen.oval(*arm[-1], 4.2, 4.2, skin)
    pen.polygon([(-11, 35), (11, 35), (12, 66), (-12, 66)], COLOURS[item.colour])
    for x in (-11, 11) if item.has("two_heads") else (0,):
        pen.limb([(x * 0.6, 66), (x * 0.9, 74)], skin, 5)
        pen.oval(x, 80, 9.5, 11, hair)
        pen.oval(x, 77.5, 8, 8.5, skin, outline=False)
        for eye in (-3, 3):
            pen.oval(x + eye, 79, 1.2, 1.5, palette.INK, outline=False)


def tree(pen: Pen, item: SceneObject) -> None:
    """A trunk and a crown of four round parts."""
    pen.rectangle(-5, 0, 5, 50, palette.BARK)
    for x, y, radius in ((-14, 56, 16), (14, 56, 16), (0, 77, 19)):
        pen.oval(x, y, radius, radius, COLOURS[item.colour])
    pen.oval(0, 61, 16, 15, COLOURS[item.colour], outline=False)


def car(pen: Pen, item: SceneObject) -> None:
    """A car seen from the side, on two large wheels."""
    pen.polygon([(-22, 24), (-14, 42.5), (13, 42.5), (23, 24)], darker(item.colour))
    pen.polygon([(-17, 26), (-11, 39), (-2, 39), (-2, 26)], palette.GLASS)
    pen.polygon([(2, 26), (2, 39), (11, 39), (18, 26)], palette.GLASS)
    pen.rectangle(-37, 10, 37, 26, COLOURS[item.colour])
    pen.rectangle(32, 17, 37, 23, palette.LIGHT)
    for x in (-20, 20):
        if item.has("square_wheels"):
            pen.rectangle(x - 10, 0.5, x + 10, 20, palette.TYRE)
            pen.rectangle(x - 4.5, 6, x + 4.5, 15, palette.HUB)
        else:
            pen.oval(x, 10, 10, 9.8, palette.TYRE)
            pen.oval(x, 10, 4.5, 4.5, palette.HUB)


def clock(pen: Pen, item: SceneObject) -> None:
    """A wall clock: a short and a long hand, unless an anomaly says otherwise."""
    pen.oval(0, 21, 20.5, 20.5, COLOURS[item.colour])
    pen.oval(0, 21, 16.5, 16.5, palette.FACE)
    for hour in range(12):
        pen.oval(14 * sin(hour * pi / 6), 21 + 14 * cos(hour * pi / 6), 1, 1, palette.TICK, outline=False)
    for angle, length in _hands(item):
        pen.limb([(0, 21), (length * sin(angle), 21 + length * cos(angle))], palette.INK, 2.4, outline=False)


def _hands(item: SceneObject) -> list[tuple[float, float]]:
    """(angle, length) of every hand; the angles never come so close that two hands look like one."""
    rng = Random(item.variant)
    start = rng.uniform(0, 2 * pi)
    if item.has("no_hands"):
        return []
    if item.has("extra_hands"):
        return [(start + index * 2 * pi / 5 + rng.uniform(-0.15, 0.15), 12.0) for index in range(5)]
    return [(start, 8.5), (start + radians(rng.uniform(50, 310)), 12.5)]


def ball(pen: Pen, item: SceneObject) -> None:
    """A ball with a stripe."""
    pen.oval(0, 13, 12.6, 12.6, COLOURS[item.colour])
    stripe = COLOURS["red"] if item.colour == "white" else COLOURS["white"]
    pen.limb([(-10.5, 14), (-4, 11), (4, 11), (10.5, 14)], stripe, 3.5, outline=False)


def plant(pen: Pen, item: SceneObject) -> None:
    """A pot with a fan of leaves."""
    for angle in (-42, -21, 0, 21, 42):
        x, y = 25 * sin(radians(angle)), 18 + 26 * cos(radians(angle))
        pen.limb([(0, 17), (x, y)], palette.STEM, 2.6, outline=False)
        pen.oval(x, y, 4.6, 5.4, palette.LEAF)
    pen.polygon([(-9, 0.5), (9, 0.5), (12, 17), (-12, 17)], COLOURS[item.colour])
    pen.rectangle(-14, 15, 14, 20, darker(item.colour))


SHAPES: Final[dict[str, Callable[[Pen, SceneObject], None]]] = {
    shape.__name__: shape for shape in (table, chair, lamp, cup, cat, person, tree, car, clock, ball, plant)
}
"""The drawing of each kind of object."""
