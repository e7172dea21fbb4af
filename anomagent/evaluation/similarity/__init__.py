"""BERTScore F1 of anomaly texts: the numbers of `bert-score`, each text embedded once, ground truth kept on disk."""

from anomagent.evaluation.similarity.backbone import DEFAULT_BACKBONE, KNOWN_LAYERS, Backbone, Precision
from anomagent.evaluation.similarity.cache import EmbeddingCache, default_directory
from anomagent.evaluation.similarity.precision import PrecisionEffect, measure_precision
from anomagent.evaluation.similarity.scorer import Scorer

__all__ = [
    "DEFAULT_BACKBONE",
    "KNOWN_LAYERS",
    "Backbone",
    "EmbeddingCache",
    "Precision",
    "PrecisionEffect",
    "Scorer",
    "default_directory",
    "measure_precision",
]
