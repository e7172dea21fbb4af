"""Writes rendered scenes and their ground truth to a folder, in the shape of the benchmark's annotations."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from anomagent.errors import UsageError
from anomagent.scenes.catalogue import ANOMALY_BY_ID
from anomagent.scenes.compose import MAX_ANOMALIES, compose
from anomagent.scenes.draw import draw
from anomagent.scenes.manifest import manifest_row
from anomagent.scenes.scene import CANVAS, Scene, SceneObject

IMAGES: Final = "images"
ANNOTATIONS: Final = "annotations.json"
SCENES: Final = "scenes.json"
MANIFEST: Final = "manifest.jsonl"
MIN_SIZE: Final = 64
MAX_SIZE: Final = 4096

_OURS: Final = frozenset({IMAGES, ANNOTATIONS, SCENES, MANIFEST})


@dataclass(frozen=True)
class Rendered:
    """What `render` wrote: the folder, and how many images, anomalies and clean images it holds."""

    folder: Path
    images: int
    anomalies: int
    clean: int


def render(
    count: int,
    seed: int,
    out: Path,
    size: int = 504,
    *,
    anomalies: int | None = None,
    overwrite: bool = False,
    progress: Callable[[int], None] | None = None,
) -> Rendered:
    """Renders the scenes of seeds seed to seed + count - 1 into `out`.

    Writes images/scene-<seed>.png (size x size pixels), annotations.json (the benchmark's shape, keyed by file name),
    scenes.json (everything that is known about each scene) and manifest.jsonl (what was asked for and where the objects
    are, see `anomagent dataset ingest`). `anomalies` fixes the number planted in each,
    `progress` is called with the number of finished scenes. annotations.json comes last and whole, so a folder that has
    it is complete; rendering again into a folder of ours replaces it. Raises UsageError for a bad request, for a folder
    that holds anything else (unless `overwrite`) and where the folder cannot be written.
    """
    _check(count, size, anomalies)
    try:
        _claim(out, overwrite)
        scenes: list[Scene] = []
        for scene in _write_images(range(seed, seed + count), out / IMAGES, size, anomalies):
            scenes.append(scene)
            if progress is not None:
                progress(len(scenes))
        _write_json(out / SCENES, {file_name(scene): scene_record(scene, size) for scene in scenes})
        _write_manifest(out / MANIFEST, scenes, size)
        _write_json(out / ANNOTATIONS, {file_name(scene): annotations_of(scene) for scene in scenes})
    except OSError as error:
        reason = error.strerror or str(error)
        raise UsageError(f"cannot write scenes to {out}: {reason}; free space or name another folder") from error
    planted = [len(scene.anomalies) for scene in scenes]
    return Rendered(out, len(scenes), sum(planted), planted.count(0))


def file_name(scene: Scene) -> str:
    """The name of the scene's image within the images folder."""
    return f"scene-{scene.seed}.png"


def annotations_of(scene: Scene) -> list[dict[str, str]]:
    """The scene's anomalies in the benchmark's shape; severity runs from 0/100 (implausible) to 100/100 (realistic)."""
    records: list[dict[str, str]] = []
    for item in scene.objects:
        for kind in (ANOMALY_BY_ID[anomaly] for anomaly in item.anomalies):
            records.append(
                {
                    "Name": kind.title,
                    "Observed Phenomenon": kind.describe(item.name, item.colour, scene.setting),
                    "Reasoning": kind.explain(item.name, item.colour, scene.setting),
                    "Severity Score": f"{kind.severity}/100",
                }
            )
    return records


def scene_record(scene: Scene, size: int) -> dict[str, Any]:
    """Everything that is known about the scene, as JSON; boxes are [x0, y0, x1, y1] in pixels of the written image."""
    return {
        "seed": scene.seed,
        "setting": scene.setting,
        "objects": [_object_record(item, size) for item in scene.objects],
        "anomalies": [{"object": name, "kind": anomaly} for name, anomaly in scene.anomalies],
    }


def _object_record(item: SceneObject, size: int) -> dict[str, Any]:
    return {
        "name": item.name,
        "kind": item.kind,
        "colour": item.colour,
        "place": item.place,
        "side": item.side,
        "box": [round(value * size / CANVAS, 1) for value in item.box],
    }


def _check(count: int, size: int, anomalies: int | None) -> None:
    if count < 1:
        raise UsageError(f"the number of scenes must be at least 1, not {count}")
    if not MIN_SIZE <= size <= MAX_SIZE:
        raise UsageError(f"the image size must be between {MIN_SIZE} and {MAX_SIZE} pixels, not {size}")
    if anomalies is not None and not 0 <= anomalies <= MAX_ANOMALIES:
        raise UsageError(f"the number of anomalies must be between 0 and {MAX_ANOMALIES}, not {anomalies}")


def _claim(out: Path, overwrite: bool) -> None:
    """Makes the folder, and empties it of an earlier rendering; refuses one with files that a rendering never has."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"{out} is a file: name a folder for the scenes")
    foreign = sorted(_foreign(out))
    if foreign and not overwrite:
        raise UsageError(f"{out} holds other files (such as {foreign[0]}): name an empty folder, or give --force")
    images = out / IMAGES
    images.mkdir(parents=True, exist_ok=True)
    # Among other people's files, only what an earlier rendering lists as its own may go.
    earlier = _listed(out) if foreign else images.glob("scene-*.png")
    for old in (out / ANNOTATIONS, out / SCENES, out / MANIFEST, *earlier, *images.glob("scene-*.part")):
        old.unlink(missing_ok=True)


def _listed(out: Path) -> Iterator[Path]:
    """The images that an earlier rendering in this folder says it wrote."""
    try:
        names = list(json.loads((out / SCENES).read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return
    yield from (out / IMAGES / Path(str(name)).name for name in names)


def _foreign(out: Path) -> Iterator[str]:
    """Paths inside the folder that no rendering writes."""
    if not out.is_dir():
        return
    names = {path.name for path in out.iterdir()}
    yield from (name for name in names if name.removesuffix(".part") not in _OURS)
    # We write scenes.json first: annotations or a manifest alone are somebody's data set.
    if SCENES not in names:
        yield from names & {ANNOTATIONS, MANIFEST}
    images = out / IMAGES
    if images.is_dir():
        ours = {*images.glob("scene-*.png"), *images.glob("scene-*.part")}
        yield from (f"{IMAGES}/{path.name}" for path in images.iterdir() if path not in ours)


def _write_images(seeds: range, folder: Path, size: int, anomalies: int | None) -> Iterator[Scene]:
    for seed in seeds:
        scene = compose(seed, anomalies)
        path = folder / file_name(scene)
        part = path.with_suffix(".part")
        draw(scene, size).save(part, format="PNG")
        os.replace(part, path)
        yield scene


def _write_manifest(path: Path, scenes: list[Scene], size: int) -> None:
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for scene in scenes:
            boxes = {item["name"]: item["box"] for item in scene_record(scene, size)["objects"]}
            row = manifest_row(scene, f"{IMAGES}/{file_name(scene)}", boxes)
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    os.replace(part, path)


def _write_json(path: Path, content: dict[str, Any]) -> None:
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    os.replace(part, path)
