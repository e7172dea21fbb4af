"""Rendered scenes with planted anomalies: exact ground truth for the embedded model, the demo and the benchmark."""

from anomagent.scenes.catalogue import ANOMALIES, ANOMALY_BY_ID, AnomalyKind
from anomagent.scenes.compose import compose
from anomagent.scenes.scene import CANVAS, Scene, SceneObject

__all__ = ["ANOMALIES", "ANOMALY_BY_ID", "CANVAS", "AnomalyKind", "Scene", "SceneObject", "compose"]
