"""What earlier steps may have said: mostly right, sometimes not, so that the model learns to look again.

Every later prompt carries text that other calls wrote. If that text were always true in training, copying it would be
the easiest lesson; so findings get lost and made up, descriptions err and objects go missing, while the right answer
stays what the image shows.
"""

from dataclasses import dataclass, replace
from random import Random
from typing import Final

from anomagent.scenes.catalogue import ANOMALIES, COLOUR_NAMES, KINDS, SIDES
from anomagent.scenes.compose import Scene, SceneObject
from anomagent.scenes.training.facts import Claim, describe, false_claims
from anomagent.state.findings import DetectedObject
from anomagent.state.naming import unique_names

CORRUPTED: Final = 0.3
_WRONG_DESCRIPTION: Final = 0.1
_MISSED: Final = 0.04
_IMAGINED: Final = 0.08


@dataclass(frozen=True)
class Listed:
    """An object as the perceiver handed it on, and what it is in the scene (None: nothing, it was imagined)."""

    object: DetectedObject
    item: SceneObject | None


def perception(scene: Scene, rng: Random, trouble: float = 1.0) -> list[Listed]:
    """The list of objects that later steps get; `trouble` scales how often it errs."""
    items: list[SceneObject | None] = [item for item in scene.objects if rng.random() >= _MISSED * trouble]
    if rng.random() < _IMAGINED * trouble:
        items.insert(rng.randint(0, len(items)), None)
    absent = [kind for kind in KINDS if all(item.kind != kind for item in scene.objects)]
    plain: list[DetectedObject] = [
        {"name": rng.choice(absent), "description": _anything(rng)}
        if item is None
        else {"name": item.kind, "description": _described(item, rng, trouble)}
        for item in items
    ]
    return [Listed(named, item) for named, item in zip(unique_names(plain), items, strict=True)]


def names_by_id(listed: list[Listed]) -> dict[int, str]:
    """The given names of the objects that are really there."""
    return {entry.item.id: entry.object["name"] for entry in listed if entry.item is not None}


def reported(
    true: list[Claim], scene: Scene, names: dict[int, str], rng: Random, agent: str | None = None
) -> list[Claim]:
    """What an agent reports where `true` is right: the same, or with losses and plausible inventions."""
    if rng.random() >= CORRUPTED:
        return list(true)
    kept = [claim for claim in true if rng.random() < 0.5]
    invented = [claim for claim in false_claims(scene, names) if agent in (None, claim.anomaly.agent)]
    if invented and rng.random() < 0.6:
        kept += rng.sample(invented, min(len(invented), rng.choice((1, 1, 2))))
    return kept


def misobserved(item: SceneObject, rng: Random) -> SceneObject:
    """The object as a careless observer takes it: with another anomaly or with none."""
    if rng.random() >= CORRUPTED:
        return item
    possible = [kind.id for kind in ANOMALIES if item.kind in kind.objects]
    taken = rng.choice([(), *[(anomaly,) for anomaly in possible]])
    return replace(item, anomalies=taken)


def _described(item: SceneObject, rng: Random, trouble: float) -> str:
    if rng.random() >= _WRONG_DESCRIPTION * trouble:
        return describe(item)
    if rng.random() < 0.5:
        return describe(replace(item, colour=rng.choice(COLOUR_NAMES)))
    return describe(replace(item, side=rng.choice(SIDES)))


def _anything(rng: Random) -> str:
    return f"{rng.choice(COLOUR_NAMES)}, {rng.choice(SIDES)}"
