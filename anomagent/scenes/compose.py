"""Composes scenes at random: which objects, what is wrong with them, and how they look."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from random import Random
from typing import Final

from anomagent.scenes.catalogue import (
    ANOMALIES,
    ANOMALY_BY_ID,
    ANY_COLOUR,
    KINDS_BY_SETTING,
    ODD_COLOURS,
    USUAL_COLOURS,
    Setting,
)
from anomagent.scenes.layout import Actor, lay_out
from anomagent.scenes.palette import BACKDROPS
from anomagent.scenes.scene import Scene, SceneObject

MAX_ANOMALIES: Final = 3
_ANOMALY_WEIGHTS: Final = (0.25, 0.40, 0.25, 0.10)
_TWIN_SHARE: Final = 0.15
_ATTEMPTS: Final = 60

_LEADING_WEIGHTS: Final = {"oversized": 3.0, "square_wheels": 1.7, "unpowered": 1.6, "two_tails": 1.3, "no_shadow": 0.8}
"""Makes up for the kinds whose bearers are too wide to fit beside another anomaly; 1 for all others."""

_WIDE_WEIGHTS: Final = {"tree": 4.0, "car": 4.0, "lamp": 4.0, "table": 2.0, "chair": 1.5, "person": 1.5, "cat": 2.0}
"""Makes up for the kinds of object that are often too wide to fit; 1 for all others."""

__all__ = ["MAX_ANOMALIES", "Scene", "SceneObject", "compose"]


@dataclass(frozen=True)
class _Role:
    """A kind of object and the anomaly it plays, or None."""

    kind: str
    anomaly: str | None = None


def compose(seed: int, anomalies: int | None = None) -> Scene:
    """The scene of that seed, the same on every machine.

    `anomalies` fixes how many are planted (0 to 3, one per object, all of different kinds); None draws the number, with
    a quarter of the scenes clean. Raises ValueError for a number out of range.
    """
    if anomalies is not None and not 0 <= anomalies <= MAX_ANOMALIES:
        raise ValueError(f"anomalies must be between 0 and {MAX_ANOMALIES}, not {anomalies}")
    rng = Random(f"scene {seed} {anomalies}")
    count = rng.choices(range(MAX_ANOMALIES + 1), _ANOMALY_WEIGHTS)[0] if anomalies is None else anomalies
    twins = rng.random() < _TWIN_SHARE
    while True:
        leading = _leading_anomaly(rng) if count else None
        for _ in range(_ATTEMPTS):
            setting = _setting_for(rng, leading)
            roles = _cast(rng, setting, leading, count, twins)
            if roles is not None and (scene := _stage(rng, seed, setting, roles)) is not None:
                return scene


def _leading_anomaly(rng: Random) -> str:
    ids = [kind.id for kind in ANOMALIES]
    return rng.choices(ids, [_LEADING_WEIGHTS.get(anomaly, 1.0) for anomaly in ids])[0]


def _setting_for(rng: Random, anomaly: str | None) -> Setting:
    settings: list[Setting] = ["indoor", "outdoor"]
    if anomaly is not None:
        settings = [setting for setting in settings if _bearers(anomaly, setting)]
    return rng.choice(settings)


def _bearers(anomaly: str, setting: Setting) -> list[str]:
    """The kinds of object that can carry the anomaly in that setting."""
    return [kind for kind in ANOMALY_BY_ID[anomaly].objects if kind in KINDS_BY_SETTING[setting]]


def _bearer(rng: Random, anomaly: str, setting: Setting) -> str:
    kinds = _bearers(anomaly, setting)
    return rng.choices(kinds, [_WIDE_WEIGHTS.get(kind, 1.0) for kind in kinds])[0]


def _cast(rng: Random, setting: Setting, leading: str | None, count: int, twins: bool) -> list[_Role] | None:
    """Roles of a scene: anomalies are chosen by kind first, so that rare kinds of object do not make rare anomalies."""
    others = [kind.id for kind in ANOMALIES if kind.id != leading and _bearers(kind.id, setting)]
    planted = [] if leading is None else [leading, *rng.sample(others, count - 1)]
    roles = [_Role(_bearer(rng, anomaly, setting), anomaly) for anomaly in planted]
    if any(role.anomaly == "on_car" for role in roles) and not any(role.kind == "car" for role in roles):
        roles.append(_Role("car"))
    kinds = [role.kind for role in roles]
    if len(set(kinds)) < len(kinds) and not twins:
        return None
    if twins and len(set(kinds)) == len(kinds):
        kind = rng.choice(kinds or KINDS_BY_SETTING[setting])
        roles += [_Role(kind)] * (1 if kinds else 2)
    free = [kind for kind in KINDS_BY_SETTING[setting] if all(role.kind != kind for role in roles)]
    free.sort(key=lambda kind: rng.random() ** (1 / _WIDE_WEIGHTS.get(kind, 1.0)), reverse=True)
    wanted = rng.choices((2, 3, 4), (0.15, 0.35, 0.5))[0]
    roles += [_Role(kind) for kind in free[: max(0, wanted - len(roles))]]
    return roles if _is_unambiguous(roles) else None


def _is_unambiguous(roles: Sequence[_Role]) -> bool:
    """Whether no object's place or anomaly could be read in two ways."""
    kinds = [role.kind for role in roles]
    on_car = any(role.anomaly == "on_car" for role in roles)
    if len(roles) > 4 or max(map(kinds.count, kinds)) > 2 or (on_car and kinds.count("car") > 1):
        return False
    shadowless = [role for role in roles if role.anomaly == "no_shadow"]
    return not shadowless or any(role.kind != "clock" and role not in shadowless for role in roles)


def _stage(rng: Random, seed: int, setting: Setting, roles: Sequence[_Role]) -> Scene | None:
    """The scene with these roles laid out, or None where they do not fit side by side."""
    blank = Scene(
        seed=seed,
        setting=setting,
        light=rng.choice((-1, 1)),
        horizon=round(rng.uniform(86, 100), 1),
        backdrop=rng.randrange(len(BACKDROPS[setting])),
    )
    objects = lay_out(rng, blank, [_dress(rng, role) for role in roles])
    return None if objects is None else replace(blank, objects=objects)


def _dress(rng: Random, role: _Role) -> Actor:
    """An actor for the role: its looks, before it has a place."""
    colours = ODD_COLOURS if role.anomaly == "odd_colour" else USUAL_COLOURS
    lit, plugged = _lamp_state(rng, role)
    return Actor(
        kind=role.kind,
        anomaly=role.anomaly,
        colour=rng.choice(colours.get(role.kind, ANY_COLOUR)),
        facing=rng.choice((-1, 1)),
        scale=_scale(rng, role),
        lift=rng.uniform(30, 40) if role.anomaly == "floating" else 0.0,
        lit=lit,
        plugged=plugged,
        variant=rng.randrange(1 << 30),
    )


def _lamp_state(rng: Random, role: _Role) -> tuple[bool, bool]:
    """(lit, plugged): the only wrong combination is a lamp that shines while unplugged."""
    if role.kind != "lamp":
        return False, True
    if role.anomaly == "unpowered":
        return True, False
    return rng.choices(((True, True), (False, True), (False, False)), (0.6, 0.15, 0.25))[0]


def _scale(rng: Random, role: _Role) -> float:
    if role.anomaly == "oversized":
        return rng.uniform(2.9, 3.2) if role.kind == "cup" else rng.uniform(1.8, 1.95)
    if role.anomaly == "on_car":
        return 0.8
    return rng.uniform(0.9, 1.04)
