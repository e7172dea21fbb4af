"""The typed state of the graph and of its two subgraphs: references and findings, never image bytes.

Lists that several branches write are joined by `operator.add`; LangGraph applies parallel writes in the order of their
`Send`s, so the order does not depend on which answer came first.
"""

import operator
from typing import Annotated, Any, Required

from langgraph.channels import UntrackedValue
from typing_extensions import TypedDict

from anomagent.state.findings import (
    CallRef,
    Candidate,
    DetectedObject,
    Failure,
    Finding,
    ImageRef,
    ObjectReport,
    PooledPass,
    ScanPass,
)


class AnalysisInput(TypedDict, total=False):
    """One of the three: a stored image (the runner), a path (Studio) or a message with an `image_url` block."""

    image: ImageRef
    image_path: str
    messages: Annotated[list[Any], UntrackedValue]


class Record(TypedDict):
    """What every branch reports besides its findings."""

    calls: Annotated[list[CallRef], operator.add]
    """Written by every node that asks a model; read by the runner for usage and by `show`."""
    failures: Annotated[list[Failure], operator.add]
    """Written by the failure handler and where objects are cut; read by the runner for the status."""


class IntakeState(AnalysisInput, Record):
    """What the intake sees: the input, and what an earlier analysis left on the thread."""


class AnalysisState(Record, total=False):
    """State of the whole graph."""

    image: Required[ImageRef]
    """Given, or written by the intake; every other node may count on it."""
    image_path: str
    messages: Annotated[list[Any], UntrackedValue]
    """Both read by the intake alone."""
    perceptions: Annotated[list[list[DetectedObject]], operator.add]
    """Each perception pass as it came; kept for the record."""
    objects: list[DetectedObject]
    """Written by the merge, names unique; absent when no pass gave an answer."""
    reports: Annotated[list[ObjectReport], operator.add]
    """Written by each object's chain; read by AnomalyIntegrator."""
    scans: Annotated[list[ScanPass], operator.add]
    """Written by each whole-image scan; read by AnomalyIntegrator and by the scoring."""
    pools: Annotated[list[PooledPass], operator.add]
    """Written by each consolidation pass; read by the scoring."""
    candidates: list[Candidate]
    """Written by the scoring, completed by AnomalyFormatter with each candidate's outcome."""
    anomalies: list[dict[str, Any]]
    """The result, each a dumped `Anomaly`; absent when the analysis failed as a whole."""
    review: dict[str, Any]
    """What a person said of the report, a dumped `ReportReview`; absent where nobody was asked."""


class ObjectsInput(TypedDict):
    """What stages 1 and 2 take from the whole graph."""

    image: ImageRef


class ObjectsState(ObjectsInput, Record, total=False):
    """State of stages 1 and 2: from the image to one report per object."""

    perceptions: Annotated[list[list[DetectedObject]], operator.add]
    objects: list[DetectedObject]
    reports: Annotated[list[ObjectReport], operator.add]


class ObjectsOutput(Record, total=False):
    """What stages 1 and 2 give back to the whole graph."""

    perceptions: list[list[DetectedObject]]
    objects: list[DetectedObject]
    reports: list[ObjectReport]


class ObjectTask(TypedDict):
    """The payload of one object's `Send`."""

    image: ImageRef
    object: DetectedObject
    others: list[DetectedObject]


class ObjectState(ObjectTask, Record):
    """State of one object's chain; every step adds its part and reads those of the steps before it."""

    attribute_observations: list[str]
    attributes: list[Finding]
    relation_observations: list[str]
    relations: list[Finding]
    reports: list[ObjectReport]


class ObjectOutput(Record, total=False):
    """What one object's chain gives back: a list of its one report."""

    reports: list[ObjectReport]


class PassTask(TypedDict):
    """The payload of one perception pass or scan."""

    image: ImageRef
    slot: int


class PoolTask(PassTask):
    """The payload of one consolidation pass."""

    reports: list[ObjectReport]
    scans: list[ScanPass]


class FormatTask(TypedDict):
    """What AnomalyFormatter reads; it is only reached where all of it was written."""

    image: ImageRef
    objects: list[DetectedObject]
    candidates: list[Candidate]
