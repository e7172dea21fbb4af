"""Predictions and ground truth brought together, image by image, and what becomes of images in only one file."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Literal

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations
from anomagent.benchmark.documents import shown
from anomagent.errors import UsageError
from anomagent.evaluation.pairs import Pair

Missing = Literal["error", "empty", "skip"]
"""Images in only one file: refuse, take the other side as empty, or leave them out."""

_EXAMPLES = 3
_WAYS_OUT = "pass --missing empty to take the other side as empty, or --missing skip to leave them out"


@dataclass(frozen=True)
class Pairing:
    """What is scored, and what was found on one side only."""

    pairs: tuple[Pair, ...]
    """In the ground truth's order, then images of the predictions alone in theirs."""
    missing: Missing
    """The rule in force."""
    only_predictions: tuple[str, ...]
    """Base names of images without ground truth."""
    only_ground_truth: tuple[str, ...]
    """Base names of images without predictions, failed ones included."""
    failures: Mapping[str, str]
    """Why a side has no result, by base name. An image that failed on its only side is in no pair under any rule."""
    partial: Mapping[str, str]
    """What failed of analyses whose lists are scored nevertheless, by base name."""
    bad_predictions: int
    """Entries of the predictions that could not be read; they are in no pair."""
    bad_ground_truth: int
    only_split: tuple[str, ...] = ()
    """Base names that the part of the split has and neither file does; they are in no pair under any rule."""


def pair_up(predictions: AnnotationSet, ground_truth: AnnotationSet, missing: Missing = "error") -> Pairing:
    """Match images by base name. A failed image has no result, so it counts as missing from its file.

    Under `empty` an image of one file alone is paired with nothing; if it is itself empty, the rule of empty images
    applies to it. Raises `UsageError` where two keys share a base name, where images are missing and may not be (those
    of the split that are in neither file included), and where nothing is left to score.
    """
    predicted, true = predictions.by_base_name(), ground_truth.by_base_name()
    failures = {
        name: image.failure for side in (true, predicted) for name, image in side.items() if image.failure is not None
    }
    found, wanted, nothing = _with_result(predicted), _with_result(true), ImageAnnotations("")
    only_predictions = tuple(name for name in found if name not in wanted)
    only_ground_truth = tuple(name for name in wanted if name not in found)
    part = (predictions.part or frozenset()) | (ground_truth.part or frozenset())
    only_split = tuple(sorted(part - predicted.keys() - true.keys()))
    if missing == "error" and (only_predictions or only_ground_truth or only_split or failures):
        raise UsageError(
            _complaint(predictions, ground_truth, only_predictions, only_ground_truth, only_split, failures)
        )
    names = [*wanted, *only_predictions]
    if missing == "skip":
        names = [name for name in wanted if name in found]
    # A failure says nothing: on an image without ground truth it must not pass for rightly finding nothing.
    names = [name for name in names if name not in failures or wanted.get(name, found.get(name, nothing)).anomalies]
    if not names:
        raise UsageError(f"{predictions.source} and {ground_truth.source} leave no image to score; check the files")
    return Pairing(
        tuple(Pair(n, found.get(n, nothing).anomalies, wanted.get(n, nothing).anomalies) for n in names),
        missing,
        only_predictions,
        only_ground_truth,
        failures,
        {n: why for n in names for side in (found, wanted) if n in side and (why := side[n].partial) is not None},
        len(predictions.bad),
        len(ground_truth.bad),
        only_split,
    )


def _with_result(images: Mapping[str, ImageAnnotations]) -> dict[str, ImageAnnotations]:
    return {name: image for name, image in images.items() if image.failure is None}


def _complaint(
    predictions: AnnotationSet,
    ground_truth: AnnotationSet,
    only_predictions: Sequence[str],
    only_ground_truth: Sequence[str],
    only_split: Sequence[str],
    failures: Mapping[str, str],
) -> str:
    parts: list[str] = []
    if only_predictions:
        parts.append(f"{len(only_predictions)} only in {predictions.source} ({name_some(only_predictions)})")
    absent = [name for name in only_ground_truth if name not in failures]
    if absent:
        parts.append(f"{len(absent)} only in {ground_truth.source} ({name_some(absent)})")
    if only_split:
        parts.append(f"{len(only_split)} of the split in neither ({name_some(only_split)})")
    if failures:
        name, reason = next(iter(failures.items()))
        parts.append(f"{len(failures)} failed ({shown(name)}: {shown(reason)})")
    hint = _suffix_hint(only_predictions, only_ground_truth)
    return f"images without a counterpart: {', '.join(parts)}; {hint}{_WAYS_OUT}"


def _suffix_hint(only_predictions: Sequence[str], only_ground_truth: Sequence[str]) -> str:
    stems = {PurePosixPath(name).stem: name for name in only_ground_truth}
    for name in only_predictions:
        if other := stems.get(PurePosixPath(name).stem):
            return f"{shown(name)} and {shown(other)} differ in the extension only: name images alike, or "
    return ""


def name_some(names: Sequence[str]) -> str:
    """The first few names, quoted, for a message."""
    first = ", ".join(shown(name) for name in names[:_EXAMPLES])
    return first + (", ..." if len(names) > _EXAMPLES else "")
