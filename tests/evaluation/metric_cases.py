"""Images to score: anomalies by severity, similarities as tables, and the recorded excerpt."""

import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from hypothesis import strategies as st

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations
from anomagent.evaluation.pairs import Pair, Similarity
from anomagent.state.findings import Anomaly

RECORDED: dict[str, Any] = json.loads(
    (Path(__file__).parents[1] / "data" / "anomreason_sample" / "recorded.json").read_text(encoding="utf-8")
)


def anomalies(*severities: int) -> tuple[Anomaly, ...]:
    return tuple(
        Anomaly(name=f"name {n}", phenomenon=f"phenomenon {n}", reasoning=f"reasoning {n}", severity=severity)
        for n, severity in enumerate(severities)
    )


def pair(severities: Sequence[int], ground_truth: int, image: str = "a.png") -> Pair:
    return Pair(image, anomalies(*severities), anomalies(*[10] * ground_truth))


def matrix(rows: Iterable[Iterable[float]], width: int | None = None) -> np.ndarray:
    values = [list(row) for row in rows]
    return np.array(values, np.float64).reshape(len(values), len(values[0]) if width is None else width)


def alike(rows: Iterable[Iterable[float]], width: int | None = None) -> Similarity:
    """The same similarity in both fields, so in every view."""
    values = matrix(rows, width)
    return Similarity(values, values)


def a_set(source: str, images: dict[str, Sequence[Anomaly]], **failures: str) -> AnnotationSet:
    """Annotations by key; a failure is given by its image's stem."""
    found = {key: ImageAnnotations(key, tuple(listed)) for key, listed in images.items()}
    return AnnotationSet(
        source, {**found, **{f"{k}.png": ImageAnnotations(f"{k}.png", failure=v) for k, v in failures.items()}}
    )


@st.composite
def images(draw: st.DrawFn, distinct: bool = False) -> tuple[Pair, Similarity]:
    """An image of up to 4 x 4; `distinct`: no two severities and no two similarities of a field are equal."""
    rows, columns = draw(st.integers(0, 4)), draw(st.integers(0, 4))
    severities = draw(st.lists(st.integers(0, 100), min_size=rows, max_size=rows, unique=distinct))
    # Coarse values make ties and values on a threshold common; fine ones avoid them.
    step = 1000 if distinct else 20
    cells = st.lists(st.integers(0, step), min_size=rows * columns, max_size=rows * columns, unique=distinct)
    fields = [np.array(draw(cells), np.float64).reshape(rows, columns) / step for _ in range(2)]
    return pair(severities, columns), Similarity(*fields)
