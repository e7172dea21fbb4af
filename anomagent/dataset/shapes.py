"""The text of a data set's files, in pieces of one image each."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final, Literal, cast

from anomagent.benchmark.annotations import base_name
from anomagent.benchmark.writing import project_page_entry, released_entry
from anomagent.dataset.stages import Stage, stage_of
from anomagent.errors import UsageError
from anomagent.state.classic_text import format_anomalies
from anomagent.state.findings import Anomaly
from anomagent.store.annotations import Key, Listed, NewestAnalyses

Shape = Literal["released", "project-page", "jsonl", "classic", "real-images", "hf"]
"""released, project-page: the benchmark's files; jsonl: the lines of `run --json`; classic: the classic text by image;
real-images: the descriptions of real images, which have no place in the shapes before; hf: a folder that Hugging
Face's datasets reads."""

SHAPES: Final[Mapping[str, Callable[[list[Anomaly]], object]]] = {
    "released": lambda anomalies: [released_entry(anomaly) for anomaly in anomalies],
    "project-page": lambda anomalies: [project_page_entry(anomaly) for anomaly in anomalies],
    "classic": format_anomalies,
}
"""Shapes that are one object, and how they write the anomalies of an image."""
OBJECTS: Final[frozenset[str]] = frozenset({*SHAPES, "real-images"})
"""All shapes that are one object by image."""
KEYS: Final[Mapping[Key, Callable[[Listed], str]]] = {
    "base": lambda listed: base_name(listed.image),
    "path": lambda listed: listed.image,
    "sha256": lambda listed: listed.sha256,
}
"""What an image is called in a file."""


def text_of(
    newest: NewestAnalyses, listed: Iterable[Listed], content: Shape | Stage, key: Key, out: Path
) -> Iterator[str]:
    """The file. Raises `UsageError` where an anomaly has an empty text, which no reader of these shapes accepts."""
    if content in SHAPES:
        shaped = SHAPES[content]
        return json_text((KEYS[key](one), shaped(readable(newest.anomalies(one.id), one.image, out))) for one in listed)
    if content == "real-images":
        return json_text((KEYS[key](one), newest.description(one.id)) for one in listed)
    if content == "jsonl":
        return _json_lines(newest.result(one) for one in listed)
    stage = cast(Stage, content)
    return _json_lines(_stage_line(one, stage, stage_of(newest.lists(one.id), stage)) for one in listed)


def readable(anomalies: list[Anomaly], image: str, out: Path) -> list[Anomaly]:
    """The anomalies themselves. Raises `UsageError` where one has an empty text."""
    for anomaly in anomalies:
        if not (anomaly.name.strip() and anomaly.phenomenon.strip() and anomaly.reasoning.strip()):
            raise UsageError(f"{out}: not written: an anomaly of {image!r} has an empty text; use jsonl or a stage")
    return anomalies


def json_text(items: Iterable[tuple[str, object]]) -> Iterator[str]:
    """The text of one JSON object, item by item, as `json.dumps` indents the whole."""
    between = "{\n"
    for key, value in items:
        yield between + json.dumps({key: value}, ensure_ascii=False, indent=4)[2:-2]
        between = ",\n"
    yield "{}\n" if between == "{\n" else "\n}\n"


def _stage_line(listed: Listed, stage: str, said: list[Any]) -> dict[str, Any]:
    return {"image": listed.image, "sha256": listed.sha256, "run": listed.run, "status": listed.status, stage: said}


def _json_lines(values: Iterable[object]) -> Iterator[str]:
    return (json.dumps(value, ensure_ascii=False) + "\n" for value in values)
