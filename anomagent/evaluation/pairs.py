"""What is compared: one image's predictions and ground truth, and how similar each of their pairs is."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from anomagent.state.findings import Anomaly


@dataclass(frozen=True)
class Pair:
    """Both sides of one image."""

    image: str
    """The image's base name."""
    predictions: Sequence[Anomaly]
    ground_truth: Sequence[Anomaly]


@dataclass(frozen=True)
class Similarity:
    """BERTScore F1 of every (prediction, ground truth) of one image; not rescaled, so mostly within 0.5 to 1."""

    phenomenon: NDArray[np.float64]
    """[predictions, ground truths]"""
    reasoning: NDArray[np.float64]
    """[predictions, ground truths]"""

    def fused(self, alpha: float) -> NDArray[np.float64]:
        """alpha * phenomenon + (1 - alpha) * reasoning, [predictions, ground truths]: 1 is Phe, 0 Rea, 0.5 Full."""
        return alpha * self.phenomenon + (1 - alpha) * self.reasoning


VIEWS: dict[str, float] = {"Phe": 1.0, "Rea": 0.0, "Full": 0.5}
"""The three views and their alpha."""
THRESHOLDS: tuple[float, ...] = (0.7, 0.8, 0.9)
"""Similarity thresholds of the published metrics."""
