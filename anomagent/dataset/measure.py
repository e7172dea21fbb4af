"""What CLIP says of each image of a workspace, measured once and kept: realism, photo, and likeness to its prompts."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import numpy as np

from anomagent.dataset.ahead import in_order
from anomagent.dataset.clip import Clip
from anomagent.dataset.scores import PROMPT_SIMILARITY, subject_of, unmeasured
from anomagent.dataset.wordings import WORDINGS, Wording
from anomagent.errors import UsageError
from anomagent.models.imaging import load_rgb
from anomagent.store.image_scores import ImageScore, ScoredImage, write_scores
from anomagent.store.pictures import MOST_PIXELS
from anomagent.store.workspace import Workspace

Vectors = Any
"""An array, float32: (count, width), each row a unit vector."""


@dataclass
class Measured:
    """What a measurement did."""

    new: int = 0
    """Images with at least one new score."""
    failed: list[str] = field(default_factory=list[str])
    """What is wrong with copies that cannot be read, one line each."""


def measure(
    workspace: Workspace, clip: Clip, batch_size: int = 32, progress: Callable[[int], None] | None = None
) -> Measured:
    """Give each image that the ingest has not dropped the scores it lacks. Scores are written batch by batch.

    A score is known by model, weights and wording, or prompt: measuring again does nothing. Raises `StoreError` where
    the workspace cannot be written.
    """
    told = Measured()
    sides = [(wording, _side(clip, wording.like), _side(clip, wording.unlike)) for wording in WORDINGS]
    with ThreadPoolExecutor(2) as pool:
        loaded = in_order(pool, lambda image: (image, _load(clip, image)), unmeasured(workspace, clip.identity))
        while batch := list(islice(loaded, batch_size)):
            told.failed += [pixels for _, pixels in batch if isinstance(pixels, str)]
            good = [(image, pixels) for image, pixels in batch if not isinstance(pixels, str)]
            if good:
                vectors = clip.embed_images([pixels for _, pixels in good])
                images = [image for image, _ in good]
                scores = [*_shares(clip, images, vectors, sides), *_similarities(clip, images, vectors)]
                write_scores(workspace, scores)
            told.new += len(good)
            if progress:
                progress(told.new + len(told.failed))
    return told


def _load(clip: Clip, image: ScoredImage) -> Any:
    """The picture as the model takes it, or what is wrong with it."""
    try:
        return clip.prepare(load_rgb(image.path, MOST_PIXELS))
    except (UsageError, ValueError) as error:  # the processor knows proportions that it cannot cut
        return f"{image.path}: {error}" if isinstance(error, ValueError) else str(error)


def _side(clip: Clip, texts: Sequence[str]) -> Vectors:
    """The mean of several wordings, a unit vector."""
    mean = clip.embed_texts(texts).mean(axis=0)
    return mean / np.linalg.norm(mean)


def _shares(
    clip: Clip, images: Sequence[ScoredImage], vectors: Vectors, sides: Sequence[tuple[Wording, Vectors, Vectors]]
) -> Iterator[ImageScore]:
    for wording, like, unlike in sides:
        lead = (vectors @ (like - unlike)).astype(np.float64) * clip.temperature
        shares = 1 / (1 + np.exp(-np.clip(lead, -700, 700)))  # the softmax of two
        for image, share in zip(images, shares, strict=True):
            yield ImageScore(image.sha256, wording.score, clip.identity, wording.subject, float(share))


def _similarities(clip: Clip, images: Sequence[ScoredImage], vectors: Vectors) -> Iterator[ImageScore]:
    pairs = [(place, prompt) for place, image in enumerate(images) for prompt in image.prompts]
    texts = list(dict.fromkeys(prompt for _, prompt in pairs))
    if not texts:
        return
    places = {text: place for place, text in enumerate(texts)}
    said = np.concatenate([clip.embed_texts(texts[at : at + 64]) for at in range(0, len(texts), 64)])
    for place, prompt in pairs:
        cosine = float(np.clip(vectors[place] @ said[places[prompt]], -1, 1))  # rounding can pass 1
        yield ImageScore(images[place].sha256, PROMPT_SIMILARITY, clip.identity, subject_of(prompt), cosine)
