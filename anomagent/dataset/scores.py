"""Which scores an image has of a CLIP model, and which it lacks."""

import hashlib
from collections.abc import Iterator
from typing import Final

from anomagent.dataset.wordings import WORDINGS
from anomagent.store.image_scores import ScoredImage, scored_images
from anomagent.store.workspace import Workspace

PROMPT_SIMILARITY: Final = "prompt_similarity"
"""The cosine of an image and a prompt of its, -1 to 1; with CLIP seldom above 0.4."""


def unmeasured(workspace: Workspace, model: str) -> Iterator[ScoredImage]:
    """The images that lack a score of `model`."""
    wanted = {(wording.score, wording.subject) for wording in WORDINGS}
    for image in scored_images(workspace, model):
        prompts = {(PROMPT_SIMILARITY, subject_of(prompt)) for prompt in image.prompts}
        if not wanted | prompts <= image.scores.keys():
            yield image


def subject_of(prompt: str) -> str:
    """What a prompt's scores are known by."""
    return hashlib.sha256(prompt.encode()).hexdigest()[:16]


def values_of(image: ScoredImage) -> dict[str, float]:
    """The scores of an image that there are; of several prompts the one that fits best counts."""
    keys = [(PROMPT_SIMILARITY, subject_of(prompt)) for prompt in image.prompts]
    similarities = [image.scores[key] for key in keys if key in image.scores]
    shares = {wording.score: (wording.score, wording.subject) for wording in WORDINGS}
    values = {score: image.scores[key] for score, key in shares.items() if key in image.scores}
    return values | ({PROMPT_SIMILARITY: max(similarities)} if similarities else {})
