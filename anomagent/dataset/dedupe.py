"""Drops near-duplicates from a workspace's data set: finds them, decides which stay, and notes it where told to."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

from anomagent.dataset.attempts import attempt
from anomagent.dataset.fingerprints import FLAT, METHOD, measure_fingerprints
from anomagent.dataset.likeness import ByEmbedding, ByFingerprint, Likeness
from anomagent.dataset.stars import Keep, Plan, plan, rank
from anomagent.store import Workspace
from anomagent.store.duplicates import (
    Candidate,
    Standing,
    check_score,
    read_candidates,
    read_standing,
    save_duplicates,
)
from anomagent.store.fingerprints import read_fingerprints
from anomagent.store.steps import dataset_step

Progress = Callable[[int, int], None]
"""Told how many of how many pictures are done."""


@dataclass(frozen=True)
class Choices:
    """How near-duplicates are found, and which of them stays."""

    keep: Keep = "largest"
    distance: int = 6
    """Bits of 64 in which fingerprints of near-duplicates differ at most."""
    score: str | None = None
    """What `best-score` goes by."""
    embedding: str | None = None
    """A CLIP model, by name or directory, whose embeddings are compared as well."""
    similarity: float = 0.96
    """Cosine similarity of embeddings from which on pictures are near-duplicates."""
    anew: bool = False
    """Decide about all images, whatever was decided about them before."""
    score_model: str | None = None
    """Whose scores; None: of the only model that has given any."""


@dataclass(frozen=True)
class Deduped:
    """What was found, and whether it was applied."""

    plan: Plan
    choices: Choices
    unreadable: dict[str, str] = field(repr=False)
    """By name, why an image could not be read; it stays."""
    flat: int
    """Images without a structure that could be compared; they stay."""
    applied: bool

    def summary(self) -> dict[str, Any]:
        """All counts."""
        found = self.plan
        names = sum(len(image.names) for image in found.equal_files)
        return {
            "images": found.images,
            "groups": len(found.groups),
            "kept": len(found.kept),
            "dropped": len(found.dropped),
            "kept_before_and_dropped": found.turned,
            "dropped_before": len(found.settled),
            "dropped_before_and_unlike_all": found.orphans,
            "dropped_before_and_kept": found.revived,
            "equal_files": {"contents": len(found.equal_files), "names": names},
            "flat": self.flat,
            "unreadable": self.unreadable,
            "applied": self.applied,
        }


def dedupe(workspace: Workspace, choices: Choices, apply: bool, progress: Progress | None = None) -> Deduped:
    """Find near-duplicates and, with `apply`, drop those that go; without it only their fingerprints are kept.

    Where somebody else decides about images meanwhile, all is found again before anything is dropped. Raises
    `ConfigurationError` for a score that no image has, and for a model that cannot be used.
    """

    def work() -> Deduped:
        since = read_standing(workspace)
        deduped = _find(workspace, choices, apply, progress)
        if apply:
            _apply(workspace, deduped, since)
        return deduped

    return attempt(workspace, work)


def _find(workspace: Workspace, choices: Choices, apply: bool, progress: Progress | None) -> Deduped:
    score = choices.score if choices.keep == "best-score" else None
    if score:
        check_score(workspace, score, choices.score_model)
    unreadable = measure_fingerprints(workspace, progress)
    images = rank(read_candidates(workspace, score, choices.score_model), choices.keep, choices.anew)
    known = read_fingerprints(workspace, METHOD)
    values = [known.get(image.sha256) for image in images]
    likenesses: list[Likeness] = [ByFingerprint(METHOD, values, choices.distance)]
    if choices.embedding:
        likeness, more = _by_embedding(workspace, images, choices.embedding, choices.similarity, progress)
        likenesses.append(likeness)
        unreadable |= more
    found = plan(images, likenesses, choices.anew)
    names = {image.sha256: image.names[0] for image in images if image.sha256 in unreadable}
    reasons = {names.get(sha256, sha256): reason for sha256, reason in sorted(unreadable.items())}
    return Deduped(found, choices, reasons, values.count(FLAT), apply)


def _by_embedding(
    workspace: Workspace, images: Sequence[Candidate], model: str, similarity: float, progress: Progress | None
) -> tuple[Likeness, dict[str, str]]:
    """The comparison by embeddings, and by content why an image has none."""
    from anomagent.dataset.embeddings import measure_embeddings, read_embeddings

    method, unreadable = measure_embeddings(workspace, model, progress)
    vectors = read_embeddings(workspace, method, [image.sha256 for image in images])
    return ByEmbedding(method, vectors, len(images), similarity), unreadable


def _apply(workspace: Workspace, deduped: Deduped, since: Standing) -> None:
    found = deduped.plan
    with dataset_step(workspace, "dedupe", {**asdict(deduped.choices), "method": METHOD}) as step:
        step.result = deduped.summary()
        save_duplicates(workspace, step, found.decisions(), found.rows(), since)
