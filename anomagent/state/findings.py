"""What the agents pass on: plain JSON in the state, validated at its edges.

Pydantic models are used where something enters (a model's reply, a file, Python callers); inside the graph state the
same things are dictionaries, because a checkpoint must be readable without this package.
"""

from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field
from typing_extensions import TypedDict

Source = Literal["attributes", "relations", "scan"]
Status = Literal["ok", "partial", "failed"]


class Anomaly(BaseModel):
    """One semantic anomaly: the paper's quadruple, with the objects it concerns and its support."""

    model_config = ConfigDict(frozen=True)

    name: str
    """A short title."""
    phenomenon: str
    """What is visibly wrong, understandable without seeing the image."""
    reasoning: str
    """Why it cannot be so."""
    severity: int = Field(ge=0, le=100)
    """Realism, 0 to 100: 0 = completely implausible, 100 = fully realistic. Low is bad."""
    objects: list[str] = []
    """Names of the objects concerned, the anomalous one first."""
    support: int = 0
    """In how many consolidation passes and whole-image scans it was seen."""


class ImageRef(TypedDict):
    """An image in the workspace, known by its content."""

    sha256: str
    path: str
    """Where the bytes lie in the workspace (a copy by content hash)."""
    width: int
    """Pixels, after the EXIF orientation is applied."""
    height: int


class DetectedObject(TypedDict):
    """One object of the image; names are unique within the image."""

    name: str
    description: str


class Finding(TypedDict):
    """One issue of one object, from AttributeAnalyzer or RelationReasoner."""

    objects: list[str]
    name: str
    issue: str
    explanation: str
    source: Source


class ReportItem(TypedDict):
    """One entry of an object's consolidated report (AnomalyIntegrator, step 1)."""

    phenomenon: str
    source: Literal["description", "relations", "both"]
    details: str
    explanation: str


class ObjectReport(TypedDict):
    """Everything the per-object chain found about one object."""

    object: DetectedObject
    attribute_observations: list[str]
    attributes: list[Finding]
    relation_observations: list[str]
    relations: list[Finding]
    report: list[ReportItem]
    contradictions: list[str]


class ScanFinding(TypedDict):
    """One anomaly reported by a whole-image scan."""

    objects: list[str]
    phenomenon: str
    explanation: str


class ScanPass(TypedDict):
    """One whole-image scan."""

    slot: int
    findings: list[ScanFinding]


class PooledFinding(TypedDict):
    """One candidate as a single consolidation pass named it."""

    object: str
    phenomenon: str
    explanation: str
    sources: list[Source]


class PooledPass(TypedDict):
    """One consolidation pass."""

    slot: int
    findings: list[PooledFinding]


class Candidate(TypedDict):
    """A pooled candidate with its support: which passes and scans reported it, and from which sources."""

    id: int
    object: str
    phenomenon: str
    explanation: str
    passes: list[int]
    """Slots of the consolidation passes that named it."""
    scans: list[int]
    """Slots of the whole-image scans that reported it."""
    sources: list[Source]
    outcome: str
    """"" until the formatter has spoken; then "kept", "dropped: <reason>", "pruned: <reason>" or "uncovered"."""


class Failure(TypedDict):
    """A call or branch that gave nothing, with the reason."""

    role: str
    object: str | None
    error: str
    message: str


class CallRef(TypedDict):
    """A finished call: its key in the ledger and what it cost this analysis."""

    key: str
    role: str
    step: str
    object: str | None
    slot: int
    ledger_hit: bool
    attempts: int
    """Requests sent for it in this analysis; 0 for a ledger hit."""
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    usd: float | None


class UsageTotals(BaseModel):
    """What an analysis cost. Tokens and money are those of this analysis: a ledger hit costs nothing."""

    calls: int = 0
    """Requests sent, repeated ones and those of an interrupted run of this analysis included."""
    ledger_hits: int = 0
    """Answers taken from the ledger instead."""
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    usd: float | None = 0.0
    """None where the price of a model is unknown."""

    @classmethod
    def of(cls, calls: Iterable[CallRef]) -> "UsageTotals":
        """Add up calls."""
        calls = list(calls)
        priced = [call["usd"] for call in calls]
        return cls(
            calls=sum(call["attempts"] for call in calls),
            ledger_hits=sum(call["ledger_hit"] for call in calls),
            input_tokens=sum(call["input_tokens"] for call in calls),
            cached_input_tokens=sum(call["cached_input_tokens"] for call in calls),
            output_tokens=sum(call["output_tokens"] for call in calls),
            usd=None if None in priced else sum(usd or 0.0 for usd in priced),
        )


class Analysis(BaseModel):
    """The result of one image: what `run --json` prints, one object a line."""

    image: str
    """The image as it was named by the caller."""
    sha256: str
    status: Status
    """ok (an empty list included), partial (something failed, see `failures`) or failed (no result)."""
    schedule: str
    anomalies: list[Anomaly]
    failures: list[Failure]
    usage: UsageTotals
    seconds: float
