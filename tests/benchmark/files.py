"""Annotations in several spellings, and files that hold them."""

import json
from pathlib import Path
from typing import Any

from anomagent.benchmark.annotations import AnnotationSet
from anomagent.benchmark.reading import read_annotations
from anomagent.state.classic_text import format_anomalies
from anomagent.state.findings import Anomaly

CHAIR = Anomaly(name="Suspended chair", phenomenon="A chair hangs in the air.", reasoning="Gravity.", severity=10)
HAND = Anomaly(name="Six fingers", phenomenon="A hand has six fingers.", reasoning="Anatomy.", severity=25)
RELEASED = {
    "Name": "@1. Name: Suspended chair",
    "Observed Phenomenon": "A chair hangs in the air.",
    "Reasoning": "Gravity.",
    "Severity Score": "10/100 (extremely unnatural).",
}
PAGE = {"severity": 25, "reasoning": "Anatomy.", "phenomenon": "A hand has six fingers.", "name": "Six fingers"}
CLASSIC = format_anomalies([CHAIR, HAND])


def written(tmp_path: Path, content: object, name: str = "file.json") -> Path:
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def read(tmp_path: Path, content: object) -> AnnotationSet:
    return read_annotations(written(tmp_path, content))


def turns(*answers: str) -> list[dict[str, str]]:
    return [
        turn
        for answer in answers
        for turn in ({"from": "human", "value": "<image>\nWhat?"}, {"from": "gpt", "value": answer})
    ]


def instance(image: str, *answers: str) -> dict[str, Any]:
    return {"image": image, "id": "1", "conversations": turns(*answers)}
