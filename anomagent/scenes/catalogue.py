"""What can appear in a rendered scene, and what can be wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal

Agent = Literal["attribute", "relation"]
Setting = Literal["indoor", "outdoor"]
Side = Literal["left", "centre", "right"]

KINDS: Final[tuple[str, ...]] = (
    "table",
    "chair",
    "lamp",
    "cup",
    "cat",
    "person",
    "tree",
    "car",
    "clock",
    "ball",
    "plant",
)
COLOUR_NAMES: Final[tuple[str, ...]] = (
    "red",
    "blue",
    "green",
    "yellow",
    "orange",
    "purple",
    "white",
    "black",
    "brown",
    "pink",
)
PLACES: Final[tuple[str, ...]] = (
    "on the floor",
    "on the ground",
    "on the table",
    "on the wall",
    "on the car",
    "in the air",
)
SIDES: Final[tuple[Side, ...]] = ("left", "centre", "right")

KINDS_BY_SETTING: Final[dict[Setting, tuple[str, ...]]] = {
    "indoor": ("table", "chair", "lamp", "cup", "cat", "person", "clock", "ball", "plant"),
    "outdoor": ("tree", "car", "person", "cat", "ball", "chair", "table", "plant", "cup"),
}

USUAL_COLOURS: Final[dict[str, tuple[str, ...]]] = {
    "table": ("brown", "white", "black", "red", "blue", "green"),
    "cat": ("black", "white", "orange", "brown"),
    "tree": ("green", "green", "green", "orange", "yellow", "red"),
    "clock": ("red", "blue", "green", "black", "brown"),
}
ANY_COLOUR: Final[tuple[str, ...]] = tuple(name for name in COLOUR_NAMES if name != "brown")
ODD_COLOURS: Final[dict[str, tuple[str, ...]]] = {
    "tree": ("blue", "purple", "pink"),
    "cat": ("green", "blue", "purple", "pink"),
}


@dataclass(frozen=True)
class AnomalyKind:
    """One way in which a scene breaks common sense.

    `agent` says which question finds it: "attribute" looks at one object alone, "relation" at an object and what
    surrounds it. `phenomenon` and `reasoning` are templates over {name}, {colour} and {ground} ("floor" or "ground").
    `severity` follows the paper's scale: 0 is completely implausible, 100 realistic.
    """

    id: str
    title: str
    agent: Agent
    objects: tuple[str, ...]
    phrase: str
    phenomenon: str
    reasoning: str
    severity: int

    def describe(self, name: str, colour: str, setting: Setting) -> str:
        """The ground-truth sentence, which can be understood without seeing the image."""
        return self.phenomenon.format(name=name, colour=colour, ground=ground_of(setting))

    def explain(self, name: str, colour: str, setting: Setting) -> str:
        """One sentence saying why the phenomenon defies common sense."""
        return self.reasoning.format(name=name, colour=colour, ground=ground_of(setting))


def ground_of(setting: Setting) -> str:
    """The word for what objects stand on."""
    return "floor" if setting == "indoor" else "ground"


ANOMALIES: Final[tuple[AnomalyKind, ...]] = (
    AnomalyKind(
        id="floating",
        title="floating",
        agent="relation",
        objects=("table", "chair", "cup", "car", "plant"),
        phrase="floating in the air",
        phenomenon="The {colour} {name} floats in the air, well above the {ground}, with nothing holding it up.",
        reasoning="Gravity pulls things down unless something carries them, and nothing carries the {name}.",
        severity=10,
    ),
    AnomalyKind(
        id="missing_leg",
        title="missing leg",
        agent="attribute",
        objects=("table", "chair", "person"),
        phrase="one leg is missing",
        phenomenon="The {colour} {name} has a leg missing: there is an empty gap where the leg should be.",
        reasoning="A {name} needs all of its legs to stand upright, so one that stands with a leg missing is odd.",
        severity=40,
    ),
    AnomalyKind(
        id="extra_arm",
        title="extra arm",
        agent="attribute",
        objects=("person",),
        phrase="has three arms",
        phenomenon="The {name} in {colour} clothes has three arms: two hang down and a third is raised to the side.",
        reasoning="The human body has two arms, so a third one growing from the shoulder of the {name} is impossible.",
        severity=5,
    ),
    AnomalyKind(
        id="two_heads",
        title="two heads",
        agent="attribute",
        objects=("person",),
        phrase="has two heads",
        phenomenon="The {name} in {colour} clothes has two heads side by side on one body.",
        reasoning="A human body carries a single head, so two heads on the {name} contradict anatomy.",
        severity=3,
    ),
    AnomalyKind(
        id="two_tails",
        title="two tails",
        agent="attribute",
        objects=("cat",),
        phrase="has two tails",
        phenomenon="The {colour} {name} has two tails: one points up and the other points backwards.",
        reasoning="A cat is born with one tail, so a second one on the {name} contradicts its anatomy.",
        severity=15,
    ),
    AnomalyKind(
        id="odd_colour",
        title="unnatural colour",
        agent="attribute",
        objects=("tree", "cat"),
        phrase="has an unnatural colour",
        phenomenon="The {name} is {colour}, a colour that it never has in nature.",
        reasoning="Nature gives no {name} a {colour} coat or crown, so this colour is not plausible.",
        severity=25,
    ),
    AnomalyKind(
        id="extra_hands",
        title="extra clock hands",
        agent="attribute",
        objects=("clock",),
        phrase="has too many hands",
        phenomenon="The {colour} {name} on the wall has five hands pointing in different directions.",
        reasoning="A clock tells the time with two or three hands; with five of them the {name} cannot be read.",
        severity=45,
    ),
    AnomalyKind(
        id="no_hands",
        title="no clock hands",
        agent="attribute",
        objects=("clock",),
        phrase="has no hands",
        phenomenon="The {colour} {name} on the wall has an empty face without any hands.",
        reasoning="A clock needs hands to show the time, so the {name} cannot serve its purpose.",
        severity=60,
    ),
    AnomalyKind(
        id="square_wheels",
        title="square wheels",
        agent="attribute",
        objects=("car",),
        phrase="has square wheels",
        phenomenon="The {colour} {name} stands on square wheels instead of round ones.",
        reasoning="Wheels must be round to roll, so the {name} could not drive on square ones.",
        severity=15,
    ),
    AnomalyKind(
        id="upside_down",
        title="upside down",
        agent="attribute",
        objects=("chair", "car", "plant"),
        phrase="is upside down",
        phenomenon="The {colour} {name} is upside down: the part that should point to the {ground} points up.",
        reasoning="The {name} can only be used the right way up, and nobody leaves it standing on its head.",
        severity=50,
    ),
    AnomalyKind(
        id="oversized",
        title="oversized",
        agent="relation",
        objects=("cup", "cat"),
        phrase="is far too large",
        phenomenon="The {colour} {name} is gigantic: beside the other objects it is far larger than it should be.",
        reasoning="Compared with the objects around it, the {name} has a size that no such thing ever reaches.",
        severity=10,
    ),
    AnomalyKind(
        id="on_car",
        title="standing on a car",
        agent="relation",
        objects=("tree",),
        phrase="stands on the roof of a car",
        phenomenon="The {colour} {name} grows out of the roof of a car instead of the {ground}.",
        reasoning="A tree needs soil for its roots, so the {name} cannot stand and live on the roof of a car.",
        severity=12,
    ),
    AnomalyKind(
        id="no_shadow",
        title="missing shadow",
        agent="relation",
        objects=("table", "chair", "cat", "person", "tree", "car", "plant"),
        phrase="casts no shadow",
        phenomenon="The {colour} {name} casts no shadow on the {ground}, although the other objects there do.",
        reasoning="The same light falls on everything here, so the {name} should cast a shadow as the others do.",
        severity=35,
    ),
    AnomalyKind(
        id="unpowered",
        title="lit without power",
        agent="attribute",
        objects=("lamp",),
        phrase="shines although it is unplugged",
        phenomenon="The {colour} {name} shines although its plug lies on the floor, outside of the wall socket.",
        reasoning="An electric lamp needs current from the socket, so the {name} cannot shine while it is unplugged.",
        severity=30,
    ),
)
ANOMALY_BY_ID: Final[dict[str, AnomalyKind]] = {kind.id: kind for kind in ANOMALIES}
