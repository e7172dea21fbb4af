"""What a picture is compared with to tell photographs from other pictures: our own words, several for each side."""

import hashlib
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True)
class Wording:
    """A score between 0 and 1: how much rather a picture is `like` one side than `unlike`, the other.

    Each side is the mean of its texts' embeddings; the score is the softmax share of the first, at the temperature that
    the model was trained with.
    """

    score: str
    like: tuple[str, ...]
    unlike: tuple[str, ...]

    @property
    def subject(self) -> str:
        """Changes with any word, so that scores of other wordings are never taken for these."""
        said = "\n".join((*self.like, "/", *self.unlike))
        return hashlib.sha256(said.encode()).hexdigest()[:12]


REALISM: Final = Wording(
    "realism",
    like=(
        "a photograph",
        "a realistic photograph of the real world",
        "a photo taken with an ordinary camera",
        "an unedited snapshot of an everyday scene",
    ),
    unlike=(
        "an AI-generated image",
        "an unrealistic computer-generated image",
        "a distorted picture with impossible details",
        "a surreal fantasy image",
    ),
)
PHOTO: Final = Wording(
    "photo",
    like=("a photograph", "a photo", "a picture taken with a camera", "a snapshot taken with a phone"),
    unlike=("an illustration", "a drawing", "a painting", "a cartoon", "a 3D rendering", "a piece of clip art"),
)
WORDINGS: Final = (REALISM, PHOTO)
