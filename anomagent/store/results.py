"""What an analysis leaves behind, as plain data."""

from typing import Any, Literal

from typing_extensions import TypedDict

from anomagent.state.context import Schedule
from anomagent.state.findings import (
    CallRef,
    Candidate,
    DetectedObject,
    Failure,
    ObjectReport,
    PooledPass,
    ScanPass,
    Status,
    UsageTotals,
)


class AnalysisResult(TypedDict):
    """A finished analysis with everything that every agent said. Lists are empty where an agent was not asked."""

    image: str
    """The image's name as the user gave it."""
    sha256: str
    thread_id: str
    status: Status
    schedule: Schedule | Literal["imported"]
    """imported: somebody else made it."""
    models: dict[str, str]
    """Model id by role."""
    perceptions: list[list[DetectedObject]]
    objects: list[DetectedObject]
    reports: list[ObjectReport]
    scans: list[ScanPass]
    pools: list[PooledPass]
    candidates: list[Candidate]
    anomalies: list[dict[str, Any]]
    """Each a dumped `Anomaly`, in the order of the report."""
    failures: list[Failure]
    calls: list[CallRef]
    seconds: float


class StoredAnalysis(AnalysisResult):
    """An analysis as it was read from the store."""

    id: int
    run_id: str
    started: str
    finished: str
    usage: UsageTotals


class AnalysisSummary(TypedDict):
    """One row of a list of analyses; those that are still running have no usage yet."""

    id: int
    run_id: str
    image: str
    sha256: str
    thread_id: str
    status: Literal["running", "ok", "partial", "failed"]
    schedule: Schedule | Literal["imported"]
    started: str
    finished: str | None
    seconds: float | None
    anomalies: int
    """How many were reported."""
    failures: int
