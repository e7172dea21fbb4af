"""Everything that could go wrong with the data, found before training begins: images, texts, lengths, leakage."""

import hashlib
import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from anomagent.errors import BadRequest, UsageError
from anomagent.finetune.examples import Row
from anomagent.finetune.masking import lesson_of
from anomagent.finetune.tokens import FIRST_BOUND
from anomagent.models.imaging import load_rgb
from anomagent.models.qwen_inputs import QwenInputs

Advance = Callable[[int, int], None]
"""Told how many are done, and of how many."""


@dataclass(frozen=True)
class Measured:
    """What an instance takes."""

    tokens: int
    cells: int
    """Of them the image's."""
    learned: int
    """Of them those that are learned."""
    width: int
    height: int
    """Of the image, before the model's bounds."""


@dataclass(frozen=True)
class Limits:
    """How long an instance may be, and whether the line break behind answers is learned."""

    tokens: int
    newline: bool = False


def measure_rows(
    rows: Sequence[Row], inputs: QwenInputs, limits: Limits, advance: Advance = lambda done, total: None
) -> list[Measured | str]:
    """What each row takes, or in words why it cannot be trained on. Reads every image, several at once."""
    measured: list[Measured | str] = []
    with ThreadPoolExecutor(min(16, os.cpu_count() or 1)) as pool:
        for result in pool.map(partial(_measure, inputs=inputs, limits=limits), rows):
            measured.append(result)
            advance(len(measured), len(rows))
    return measured


def all_measured(rows: Sequence[Row], results: Sequence[Measured | str]) -> list[Measured]:
    """The results, none being a reason to refuse. Raises `UsageError` with the first such reason."""
    good = [result for result in results if isinstance(result, Measured)]
    if len(good) < len(results):
        place, reason = next((n, result) for n, result in enumerate(results) if isinstance(result, str))
        more = len(results) - len(good) - 1
        others = f" (and {more} more of {len(rows)} instances cannot be trained on)" if more else ""
        raise UsageError(f"{rows[place].file}: {reason}{others}")
    return good


def refuse_leakage(train: Iterable[Row], held_out: Iterable[Row]) -> None:
    """Raises `UsageError` where an image is trained on and evaluated on as well."""
    known = {row.instance.sha256 for row in train}
    shared = [row.instance for row in held_out if row.instance.sha256 in known]
    if shared:
        raise UsageError(
            f"data.eval: {len(shared)} of its instances are about images of data.train, such as {shared[0].id};"
            " split by image (anomagent dataset split)"
        )


def _measure(row: Row, inputs: QwenInputs, limits: Limits) -> Measured | str:
    one = row.instance
    try:
        if _sha256(row.image) != one.sha256:
            return f"instance {one.id}: {row.image} holds another image than the instance was made for (SHA-256)"
        width, height = load_rgb(row.image, FIRST_BOUND).size
        cells = inputs.cells_of_size(width, height)
        lesson = lesson_of(inputs, one, cells, limits.newline)
    except UsageError as error:
        text = str(error)
        return text if text.startswith("instance ") else f"instance {one.id}: {text}"
    except BadRequest as error:
        return f"instance {one.id}: {error}"
    if len(lesson.ids) > limits.tokens:
        return (
            f"instance {one.id} takes {len(lesson.ids)} tokens, {cells} of them for the image; the limit is"
            f" data.max_tokens = {limits.tokens}, and nothing is truncated: raise it, or split the instance"
        )
    return Measured(len(lesson.ids), cells, lesson.learned, width, height)


def _sha256(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError as error:
        raise UsageError(f"{path}: there is no such image; check the path") from error
    except OSError as error:
        raise UsageError(f"{path}: cannot be read ({error.strerror})") from error
