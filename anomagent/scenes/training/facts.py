"""What is true of a scene, in the short fixed phrases that the embedded model learns to answer with."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from anomagent.scenes.catalogue import ANOMALIES, ANOMALY_BY_ID, AnomalyKind, Setting, ground_of
from anomagent.scenes.compose import Scene, SceneObject

NOT_VISIBLE: Final = "not visible"


@dataclass(frozen=True)
class Claim:
    """That the object of this name shows this anomaly. A claim can be false; then some agent made it up."""

    name: str
    anomaly: AnomalyKind
    colour: str
    setting: Setting
    objects: tuple[str, ...]

    @property
    def phenomenon(self) -> str:
        """The sentence for readers who do not see the image."""
        return self.anomaly.describe(self.name, self.colour, self.setting)

    @property
    def reasoning(self) -> str:
        """Why it cannot be so."""
        return self.anomaly.explain(self.name, self.colour, self.setting)


def truth(scene: Scene, names: Mapping[int, str] | None = None) -> list[Claim]:
    """The planted anomalies from left to right; `names` are those that the objects (by id) go by, if not their own."""
    return [claim(scene, item, ANOMALY_BY_ID[anomaly], names) for item in scene.objects for anomaly in item.anomalies]


def claim(scene: Scene, item: SceneObject, anomaly: AnomalyKind, names: Mapping[int, str] | None = None) -> Claim:
    """The claim that `item` carries `anomaly`."""
    name = name_of(item, names)
    others = [name_of(other, names) for other in scene.objects if other.kind == "car"] if anomaly.id == "on_car" else []
    return Claim(name, anomaly, item.colour, scene.setting, (name, *others[:1]))


def name_of(item: SceneObject, names: Mapping[int, str] | None = None) -> str:
    """The name that earlier steps gave to the object, or its own."""
    return item.name if names is None else names.get(item.id, item.name)


def false_claims(scene: Scene, names: Mapping[int, str] | None = None) -> list[Claim]:
    """Every claim about an object of the scene that could be made of its kind and is not true."""
    return [
        claim(scene, item, anomaly, names)
        for item in scene.objects
        for anomaly in ANOMALIES
        if item.kind in anomaly.objects and not item.has(anomaly.id)
    ]


def describe(item: SceneObject) -> str:
    """Colour, support and side. Floating and standing on a car stay unsaid: others have to find them in the image."""
    support = [item.place] if item.place in ("on the table", "on the wall") else []
    return ", ".join([item.colour, *support, item.side])


def attribute_observations(item: SceneObject) -> list[str]:
    """What one sees of the object by itself: the parts are counted before anything is concluded."""
    return [phrase for phrase in (_parts(item), _second_parts(item), _orientation(item)) if phrase]


def relation_observations(item: SceneObject, setting: Setting) -> list[str]:
    """What one sees of the object's support, size and shadow."""
    seen = [_support(item, setting), "far too large" if item.has("oversized") else "normal size"]
    if item.place not in ("on the wall", "on the table", "on the car"):
        seen.append("casts a shadow" if item.casts_shadow else "no shadow")
    return seen


def _support(item: SceneObject, setting: Setting) -> str:
    if item.has("floating"):
        return "nothing under it"
    if item.has("on_car"):
        return "on the roof of a car"
    return item.place if item.place in ("on the wall", "on the table") else f"stands on the {ground_of(setting)}"


def _parts(item: SceneObject) -> str:
    missing = item.has("missing_leg")
    match item.kind:
        case "table" | "chair":
            return "three legs" if missing else "four legs"
        case "person":
            return ("two heads" if item.has("two_heads") else "one head") + (", one leg" if missing else ", two legs")
        case "cat":
            return "two tails" if item.has("two_tails") else "one tail"
        case "clock":
            return "five hands" if item.has("extra_hands") else "no hands" if item.has("no_hands") else "two hands"
        case "car":
            return "square wheels" if item.has("square_wheels") else "round wheels"
        case "lamp":
            return "shining" if item.lit else "dark"
        case "cup":
            return "one handle"
        case "ball":
            return "round"
        case _:
            return ""


def _second_parts(item: SceneObject) -> str:
    match item.kind:
        case "person":
            return "three arms" if item.has("extra_arm") else "two arms"
        case "cat":
            return f"{item.colour} fur"
        case "tree":
            return f"{item.colour} crown"
        case "lamp":
            return "plug in the socket" if item.plugged else "plug on the floor"
        case _:
            return ""


def _orientation(item: SceneObject) -> str:
    if item.kind not in ("chair", "car", "plant"):
        return ""
    return "turned over" if item.has("upside_down") else "upright"
