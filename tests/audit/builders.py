"""Small inputs for the tests of audits."""

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from anomagent.audit.audit import Generator
from anomagent.benchmark.annotations import AnnotationSet, BadEntry, ImageAnnotations
from anomagent.state.findings import Anomaly


def anomaly(severity: int, name: str = "Odd hand") -> Anomaly:
    return Anomaly(name=name, phenomenon="Six fingers.", reasoning="Hands have five.", severity=severity)


def annotations(
    severities: Mapping[str, Sequence[int]], failed: Iterable[str] = (), bad: Sequence[str] = ()
) -> AnnotationSet:
    """As files are read: an image that has bad entries and no other one has failed."""
    images = {key: ImageAnnotations(key, tuple(map(anomaly, each))) for key, each in severities.items()}
    unreadable = [key for key in bad if key in images and not images[key].anomalies]
    images |= {key: ImageAnnotations(key, failure="refused") for key in [*failed, *unreadable]}
    return AnnotationSet("test.json", images, tuple(BadEntry("test.json", key, 0, "no severity") for key in bad))


def generator(name: str, severities: Sequence[Sequence[int]], prompts: Sequence[str] = ()) -> Generator:
    """Images 0.png, 1.png, ... with these severities and prompts."""
    keys = [f"{index}.png" for index in range(len(severities))]
    return Generator(
        name, annotations(dict(zip(keys, severities, strict=True))), dict(zip(keys, prompts, strict=False))
    )


def draw(root: Path, *names: str) -> None:
    """Tiny images at these relative paths."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (2, 2), "white").save(path)


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value, ensure_ascii=False), encoding="utf-8")
    return path
