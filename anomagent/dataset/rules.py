"""Which files become images of a data set, and in one word why others do not."""

import math
from dataclasses import dataclass
from typing import Final, Literal, get_args

from anomagent.errors import UsageError
from anomagent.store.pictures import Fault, Picture

Rule = Literal["too_small", "elongated", "animated"]
Reason = Fault | Rule
"""Why a file is left out: something is wrong with it, or a rule says so."""
BROKEN: Final[tuple[Reason, ...]] = ("missing", "unreadable", "damaged")
"""The reasons that somebody should look into; the others are rules that do what they are for."""
REASONS: Final[tuple[Reason, ...]] = (*get_args(Fault), *get_args(Rule))


@dataclass(frozen=True)
class Rules:
    """Which images are left out although nothing is wrong with them. Raises `UsageError` for rules without sense."""

    min_pixels: int = 32 * 32
    """Width times height, at least."""
    max_aspect: float = 10.0
    """The longer side is at most so many times the shorter one."""
    allow_animated: bool = False
    """Take images with several frames; the first one counts."""

    def __post_init__(self) -> None:
        if self.min_pixels < 0:
            raise UsageError(f"--min-pixels {self.min_pixels}: must be 0 or more")
        if not 1 <= self.max_aspect < math.inf:
            raise UsageError(f"--max-aspect {self.max_aspect:g}: must be 1 or more, the longer side by the shorter")

    def broken_by(self, picture: Picture) -> tuple[Reason, str] | None:
        """The first rule that a picture breaks, and what to say about it."""
        width, height = picture.width, picture.height
        if width * height < self.min_pixels:
            return "too_small", f"{width} x {height} pixels, fewer than {self.min_pixels:,}; see --min-pixels"
        if max(width, height) > self.max_aspect * min(width, height):
            return "elongated", f"{width} x {height} pixels, longer than {self.max_aspect:g}:1; see --max-aspect"
        if picture.is_animated and not self.allow_animated:
            return "animated", f"{picture.frames} frames; --allow-animated takes the first"
        return None
