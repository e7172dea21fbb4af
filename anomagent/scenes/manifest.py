"""Rendered scenes as a list of images for others to take in: what was asked for, and where each object is."""

from __future__ import annotations

from typing import Any, Final

from anomagent.scenes.scene import Scene, SceneObject

SOURCE: Final = "scenes"

_ODD_PLACES: Final = frozenset({"in the air", "on the car"})
"""Where an object is only when something is wrong with it."""


def caption_of(scene: Scene) -> str:
    """What the scene was meant to show, in a sentence that tells nothing of what was planted in it."""
    *others, last = map(_phrase, scene.objects)
    listed = f"{', '.join(others)} and {last}" if others else last
    return f"A simple drawing of an {scene.setting} scene with {listed}."


def manifest_row(scene: Scene, image: str, boxes: dict[str, list[float]]) -> dict[str, Any]:
    """The scene's line of a manifest: `image` is a path beside the manifest, `boxes` are in pixels by object."""
    return {
        "image": image,
        "prompt": caption_of(scene),
        "source": SOURCE,
        "id": f"scene-{scene.seed}",
        "boxes": boxes,
    }


def _phrase(item: SceneObject) -> str:
    looks = item.kind if item.has("odd_colour") else f"{item.colour} {item.kind}"
    article = "an" if looks[0] in "aeiou" else "a"
    return f"{article} {looks}" if item.place in _ODD_PLACES else f"{article} {looks} {item.place}"
