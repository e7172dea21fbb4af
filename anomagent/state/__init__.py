"""Typed state and the findings that travel through it."""

from anomagent.state.context import AnalysisContext, Role, Schedule
from anomagent.state.findings import Anomaly, Candidate, DetectedObject, Failure, Finding, ImageRef, ObjectReport

__all__ = [
    "AnalysisContext",
    "Anomaly",
    "Candidate",
    "DetectedObject",
    "Failure",
    "Finding",
    "ImageRef",
    "ObjectReport",
    "Role",
    "Schedule",
]
