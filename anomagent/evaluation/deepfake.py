"""Deepfake detection: the verdict on each image, accuracy, and SemAP and SemF1 that count only where it is right."""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from anomagent.benchmark.annotations import AnnotationSet, ImageAnnotations, base_name
from anomagent.benchmark.documents import read_text, shown
from anomagent.benchmark.labels import Labels
from anomagent.benchmark.reading import read_annotations
from anomagent.benchmark.tables import is_parquet, read_rows, text_in
from anomagent.benchmark.verdicts import Verdict, read_verdict
from anomagent.errors import UsageError
from anomagent.evaluation.pairing import Missing, name_some
from anomagent.evaluation.pairs import VIEWS
from anomagent.evaluation.scores import EmptyRule, Scores

Label = Literal["real", "ai"]

RIGHT: Final[dict[Label, Verdict]] = {"real": "no", "ai": "yes"}
VERDICTS: Final[tuple[Verdict, ...]] = ("yes", "no", "unrecognised")


@dataclass(frozen=True)
class Verdicts:
    """What was said of each labelled image, and what could not be judged."""

    labels: Mapping[str, Label]
    """Of every judged image, by base name."""
    given: Mapping[str, Verdict]
    """Of the same images."""
    missing: Missing
    """The rule in force for the next two."""
    unanswered: tuple[str, ...]
    """Labelled images without an answer: `unrecognised` under `empty`, not judged under `skip`."""
    unlabelled: tuple[str, ...]
    """Images of the predictions, the ground truth or the part of the split without a label: never judged."""
    answers: Mapping[str, str] = field(default_factory=dict[str, str])
    """The words behind `given`, of the images that have an answer."""

    def chosen(self, label: Label) -> frozenset[str]:
        """Base names of the judged images of one class."""
        return frozenset(image for image, given in self.labels.items() if given == label)


def read_answers(path: Path) -> AnnotationSet:
    """The answers of a table with the columns image and answer (CSV, Parquet), or of a file as of predictions.

    A row without an answer says nothing. Raises `UsageError` for what cannot be read, a row without an image, and an
    image that is there twice.
    """
    if not is_parquet(path) and read_text(path).lstrip().startswith(("{", "[")):
        return read_annotations(path)
    images: dict[str, ImageAnnotations] = {}
    for row in read_rows(path, ("image", "answer")):
        image, answer = (text_in(row, column, path) for column in ("image", "answer"))
        if image is None or not base_name(image).strip():
            raise UsageError(f"{path}: {row.place}: no image; a table of answers needs the columns image and answer")
        if image in images:
            raise UsageError(f"{path}: {row.place}: {shown(image)} is there twice; keep one")
        images[image] = ImageAnnotations(image, answer=answer)
    return AnnotationSet(str(path), images)


def add_answers(predictions: AnnotationSet, answers: AnnotationSet) -> AnnotationSet:
    """`predictions` with the answers of another file, whose text may also be read as a description of the image.

    An image that was only answered has no anomalies. Where the other file has no text for an image, and for images
    outside the part of a split, it changes nothing. Raises `UsageError` where two keys of a file share a base name.
    """
    images = predictions.by_base_name()
    for name, said in answers.by_base_name().items():
        text = said.answer or said.description
        if text and text.strip() and (predictions.part is None or name in predictions.part):
            images[name] = replace(images.get(name) or ImageAnnotations(said.key), answer=text)
    return replace(predictions, images={image.key: image for image in images.values()})


def read_verdicts(
    predictions: AnnotationSet, ground_truth: AnnotationSet, labels: Labels, missing: Missing = "error"
) -> Verdicts:
    """Read the verdict on every labelled image; `labels` may name images by path, they are matched by base name.

    An answer counts even where the list of anomalies beside it failed. Where the predictions are one part of a split,
    only its images are judged. Raises `UsageError` where images lack an answer or a label and may not, where the ground
    truth has anomalies in an image labelled real, and where no image labelled AI is left.
    """
    answers, truth = predictions.by_base_name(), ground_truth.by_base_name()
    by_name: dict[str, Label] = {base_name(key): "ai" if is_ai else "real" for key, is_ai in labels.items()}
    if len(by_name) < len(labels):
        raise UsageError("two labels share a base name, by which images are matched; rename the images")
    if predictions.part is not None:
        by_name = {name: label for name, label in by_name.items() if name in predictions.part}
    contradicted = [name for name, label in by_name.items() if label == "real" and _anomalies(truth, name)]
    if contradicted:
        raise UsageError(
            f"{ground_truth.source} has anomalies in {_nouns(len(contradicted), 'image')} labelled real "
            f"({name_some(contradicted)}); correct the labels or the ground truth"
        )
    unanswered = tuple(name for name in by_name if _answer(answers, name) is None)
    named = [*truth, *answers, *sorted(predictions.part or ())]
    unlabelled = tuple(name for name in dict.fromkeys(named) if name not in by_name)
    if missing == "error" and (unanswered or unlabelled):
        raise UsageError(_complaint(predictions.source, unanswered, unlabelled))
    left_out = set(unanswered) if missing == "skip" else set[str]()
    judged: dict[str, Label] = {name: label for name, label in by_name.items() if name not in left_out}
    if "ai" not in judged.values():
        raise UsageError(
            "no image labelled AI is left to judge, and CSemAP and CSemF1 are over those; check the labels"
        )
    said = {name: answer for name in judged if (answer := _answer(answers, name)) is not None}
    given: dict[str, Verdict] = {name: read_verdict(said.get(name, "")) for name in judged}
    return Verdicts(judged, given, missing, unanswered, unlabelled, said)


def keep_images(annotations: AnnotationSet, names: Set[str]) -> AnnotationSet:
    """Only the images of these base names: pair up and score those labelled AI, not the real ones."""
    kept = {key: image for key, image in annotations.images.items() if base_name(key) in names}
    bad = tuple(entry for entry in annotations.bad if base_name(entry.image) in names)
    part = None if annotations.part is None else annotations.part & names
    return replace(annotations, images=kept, bad=bad, part=part)


def detect(verdicts: Verdicts, scores: Scores) -> dict[str, Any]:
    """Accuracy over all judged images and CSemAP, CSemF1 by view; `scores` are those of the images labelled AI.

    CSemAP and CSemF1: an image's AP or F1 where it was judged AI, else 0, averaged over thresholds, then over the AI
    images. `unscored` counts judged AI images that are not in `scores`, having no list of anomalies on either side or
    on the side that failed: they are 0, or left out of these means where missing images are skipped.
    `all_images` adds the real ones: rightly judged they are empty on both sides, so the rule of empty images scores
    them (1, 0, or left out), wrongly judged they are 0. Raises `UsageError` where no image is left to average over.
    """
    unscored = len(verdicts.chosen("ai").difference(scores.images))
    ai = _conditional(verdicts, scores, 0 if verdicts.missing == "skip" else unscored)
    everything = {name: np.concatenate([rows, _real_rows(verdicts, scores.rules.empty)]) for name, rows in ai.items()}
    confusion: dict[Label, dict[Verdict, int]] = {label: _count(verdicts, label) for label in RIGHT}
    right: dict[Label, int] = {label: counts[RIGHT[label]] for label, counts in confusion.items()}
    totals = {label: sum(counts.values()) for label, counts in confusion.items()}
    return {
        "judged": sum(totals.values()),
        "Acc": sum(right.values()) / sum(totals.values()),
        "Acc_by_class": {label: right[label] / totals[label] if totals[label] else None for label in RIGHT},
        "unrecognised": sum(counts["unrecognised"] for counts in confusion.values()),
        "confusion": confusion,
        "unanswered": len(verdicts.unanswered),
        "unlabelled": len(verdicts.unlabelled),
        **{name: _by_view(rows) for name, rows in ai.items()},
        "ai_images": len(ai["CSemAP"]),
        "unscored": unscored,
        "all_images": {
            "images": len(everything["CSemAP"]),
            **{name: _by_view(rows) for name, rows in everything.items()},
        },
    }


def _conditional(verdicts: Verdicts, scores: Scores, unscored: int) -> dict[str, NDArray[np.float64]]:
    """CSemAP and CSemF1 of each AI image that counts, [images, views]; then as many rows of 0 as are unscored.

    An image that is empty on both sides leaves only if rightly judged.
    """
    foreign = [image for image in scores.images if verdicts.labels.get(image) != "ai"]
    if foreign:
        raise ValueError(f"scored images that are not judged and labelled AI: {name_some(foreign)}")
    right = np.array([verdicts.given[image] == RIGHT["ai"] for image in scores.images], np.bool_)
    kept = scores.counted | ~right
    macro = scores.macro()
    nothing = np.zeros((unscored, len(VIEWS)))
    return {
        f"C{name}": np.concatenate([np.where(right[:, None], values, 0.0)[kept], nothing])
        for name, values in macro.items()
    }


def _real_rows(verdicts: Verdicts, empty: EmptyRule) -> NDArray[np.float64]:
    """[images, views] of the real images."""
    right = [verdicts.given[image] == RIGHT["real"] for image in sorted(verdicts.chosen("real"))]
    kept = [is_right for is_right in right if not (is_right and empty == "skip")]
    values = [float(is_right and empty == "score") for is_right in kept]
    return np.repeat(np.array(values, np.float64)[:, None], len(VIEWS), axis=1)


def _count(verdicts: Verdicts, label: Label) -> dict[Verdict, int]:
    counts = Counter(verdicts.given[image] for image in verdicts.chosen(label))
    return {verdict: counts[verdict] for verdict in VERDICTS}


def _by_view(rows: NDArray[np.float64]) -> dict[str, float]:
    if not len(rows):
        raise UsageError("no AI image to average over: all are empty on both sides, and --empty skip leaves those out")
    return {view: float(value) for view, value in zip(VIEWS, rows.mean(axis=0), strict=True)}


def _complaint(source: str, unanswered: Sequence[str], unlabelled: Sequence[str]) -> str:
    parts: list[str] = []
    if unanswered:
        words = _nouns(len(unanswered), "labelled image"), "has" if len(unanswered) == 1 else "have"
        parts.append(f"{' '.join(words)} no answer in {source} ({name_some(unanswered)})")
    if unlabelled:
        words = _nouns(len(unlabelled), "image"), "has" if len(unlabelled) == 1 else "have"
        parts.append(f"{' '.join(words)} no label ({name_some(unlabelled)})")
    return (
        f"{' and '.join(parts)}; pass --missing empty to count a missing answer as wrong, --missing skip to leave such "
        "images out, or --answers FILE"
    )


def _nouns(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _anomalies(images: Mapping[str, ImageAnnotations], name: str) -> bool:
    return name in images and bool(images[name].anomalies)


def _answer(images: Mapping[str, ImageAnnotations], name: str) -> str | None:
    image = images.get(name)
    return image.answer if image else None
