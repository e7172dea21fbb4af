"""The file of predictions: a record an image, which `evaluate` reads as it is."""

import errno
import json
import os
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from anomagent.benchmark.verdicts import read_verdict
from anomagent.benchmark.writing import project_page_entry
from anomagent.errors import StoreError
from anomagent.store.database import DISK_FULL
from anomagent.store.predictions import Prediction


def record_of(prediction: Prediction, details: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the file says of one image.

    `anomalies` are entries of the project page's shape. A failure says `failure` and, as far as there is one, the
    `text` of the answer; a partial list says in `partial` what is missing. Deepfake detection adds `answer`, `verdict`,
    `p_yes` and, of a real image, its `description`. `details` is what a manifest says of the image.
    """
    record: dict[str, Any] = {"image": prediction.image}
    if prediction.answer is not None:
        verdict = read_verdict(prediction.answer)
        record |= {
            "answer": prediction.answer,
            "verdict": "undecided" if verdict == "unrecognised" else verdict,
            "p_yes": prediction.p_yes,
        }
    record["anomalies"] = [project_page_entry(anomaly) for anomaly in prediction.anomalies]
    if prediction.description is not None:
        record["description"] = prediction.description
    if prediction.status != "ok":
        key = "failure" if prediction.status == "failed" else "partial"
        record |= {key: f"{prediction.error}: {prediction.message}", "text": prediction.text}
    return record | {"sha256": prediction.sha256} | dict(details or {})


def write_predictions(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write the file whole or not at all: JSON lines where its name says so, else a JSON list.

    Raises `StoreError` where it cannot be written.
    """
    lines = path.suffix.lower() in (".jsonl", ".ndjson")
    unfinished = path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        try:
            with unfinished.open("wb") as file:
                file.writelines(_as_lines(records) if lines else _as_list(records))
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(path)
        finally:
            unfinished.unlink(missing_ok=True)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StoreError(f"{path}: {DISK_FULL if full else f'cannot be written ({error.strerror})'}") from error


def _as_lines(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    for record in records:
        yield _encoded(record) + b"\n"


def _as_list(records: Iterable[Mapping[str, Any]]) -> Iterator[bytes]:
    before = b"[\n"
    for record in records:
        yield before + _encoded(record)
        before = b",\n"
    yield b"\n]\n" if before == b",\n" else b"[]\n"


def _encoded(record: Mapping[str, Any]) -> bytes:
    return json.dumps(record, ensure_ascii=False).encode("utf-8", "backslashreplace")
