# pyright: basic
"""The images that training sees: rendered once, kept on disk, together with what stands in each cell."""

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from anomagent.scenes.cells import LABELS, cells
from anomagent.scenes.compose import Scene, compose
from anomagent.scenes.draw import draw
from anomagent.scenes.training.architecture import GRID, IMAGE_SIDE

FIRST_SEED: Final = 10_000_000
"""Training scenes have the seeds from here on; evaluation uses others (2,000,000 and up), users small ones."""
_CHUNK: Final = 1000


def training_scene(index: int) -> Scene:
    """Scene `index` of the training set: every other one has at least one anomaly, the rest come as they come."""
    seed = FIRST_SEED + index
    return compose(seed, anomalies=None if index % 2 else 1 + index // 2 % 3)


def picture(scene: Scene) -> NDArray[np.uint8]:
    """The scene as the model sees it, (IMAGE_SIDE, IMAGE_SIDE, 3): drawn large, then reduced as the processor does."""
    image = draw(scene).resize((IMAGE_SIDE, IMAGE_SIDE), Image.Resampling.BICUBIC)
    return np.asarray(image)


@dataclass(frozen=True)
class Gallery:
    """`images` (count, IMAGE_SIDE, IMAGE_SIDE, 3) and `truth` (count, GRID * GRID, labels), both on disk."""

    images: NDArray[np.uint8]
    truth: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.images)


def open_gallery(folder: Path, count: int, processes: int = 2) -> Gallery:
    """The gallery of the first `count` training scenes; what an earlier, interrupted call rendered is kept."""
    folder.mkdir(parents=True, exist_ok=True)
    images = _array(folder / f"images-{count}.npy", (count, IMAGE_SIDE, IMAGE_SIDE, 3), np.uint8)
    truth = _array(folder / f"cells-{count}.npy", (count, GRID * GRID, len(LABELS)), np.bool_)
    ledger = folder / f"rendered-{count}.json"
    rendered: set[int] = set(json.loads(ledger.read_text())) if ledger.exists() else set()
    missing = [start for start in range(0, count, _CHUNK) if start not in rendered]
    if missing:
        with ProcessPoolExecutor(processes) as pool:
            for start, (pictures, labels) in zip(missing, pool.map(partial(_render, count), missing), strict=True):
                images[start : start + len(pictures)] = pictures
                truth[start : start + len(labels)] = labels
                images.flush()
                truth.flush()
                rendered.add(start)
                ledger.write_text(json.dumps(sorted(rendered)))
    return Gallery(images, truth)


def _array(path: Path, shape: tuple[int, ...], kind: type[np.generic]) -> np.memmap[Any, Any]:
    if path.exists():
        return np.load(path, mmap_mode="r+")
    return np.lib.format.open_memmap(path, mode="w+", dtype=kind, shape=shape)


def _render(count: int, start: int) -> tuple[NDArray[np.uint8], NDArray[np.bool_]]:
    scenes = [training_scene(index) for index in range(start, min(start + _CHUNK, count))]
    return np.stack([picture(scene) for scene in scenes]), np.stack([cells(scene, GRID) for scene in scenes])
