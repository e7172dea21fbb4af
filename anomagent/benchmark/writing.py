"""Writes annotations and predictions as the benchmark's own files have them."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

from anomagent.benchmark.files import whole_file
from anomagent.errors import UsageError
from anomagent.state.classic_text import describe_severity
from anomagent.state.findings import Anomaly

Variant = Literal["released", "project-page"]
"""released: "Observed Phenomenon" and severity as text, "25/100 (clearly unnatural)."; project-page: lower-case keys,
severity as a number."""


def write_annotations(path: Path, images: Mapping[str, Sequence[Anomaly]], variant: Variant = "released") -> None:
    """Write the anomalies by image, in their order, whole or not at all. Severity: 0 = completely implausible.

    Reading the file gives the same quadruples, except that a name loses a list prefix ("@1. Name: ") and outer white
    space. Objects and support have no place in these shapes. Raises `UsageError` where the file cannot be written or an
    anomaly has an empty text, which no reader accepts.
    """
    shape = released_entry if variant == "released" else project_page_entry
    content = {image: [shape(_whole(path, image, anomaly)) for anomaly in found] for image, found in images.items()}
    _write(path, json.dumps(content, ensure_ascii=False, indent=4) + "\n")


def released_entry(anomaly: Anomaly) -> dict[str, str]:
    """An anomaly as the released tools write it."""
    return {
        "Name": anomaly.name,
        "Observed Phenomenon": anomaly.phenomenon,
        "Reasoning": anomaly.reasoning,
        "Severity Score": f"{anomaly.severity}/100 ({describe_severity(anomaly.severity)}).",
    }


def project_page_entry(anomaly: Anomaly) -> dict[str, str | int]:
    """An anomaly as the project page has it."""
    return anomaly.model_dump(include={"name", "phenomenon", "reasoning", "severity"})


def _whole(path: Path, image: str, anomaly: Anomaly) -> Anomaly:
    texts = {"name": anomaly.name, "phenomenon": anomaly.phenomenon, "reasoning": anomaly.reasoning}
    if empty := [field for field, text in texts.items() if not text.strip()]:
        raise UsageError(f"{path}: not written: an anomaly of {image!r} has no {empty[0]}; correct or leave it out")
    return anomaly


def _write(path: Path, text: str) -> None:
    try:
        with whole_file(path) as unfinished:
            unfinished.write_bytes(text.encode("utf-8"))
    except UnicodeEncodeError as error:
        raise UsageError(f"{path}: not written: half a surrogate pair in a text or a name; correct it") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be written ({error.strerror}); choose another file") from error
