"""What people say of candidates: one question, "is this description right for this image?", and three answers."""

from typing import Annotated, Final, Literal, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field

Verdict = Literal["ACCEPT", "REJECT", "UNSURE"]
"""The answers of the review (the paper, section on the benchmark's construction)."""
VERDICTS: Final[tuple[Verdict, ...]] = get_args(Verdict)

Withdrawn = Literal["WITHDRAWN"]
"""Appended by an undo: the person has no answer until the next one."""

Reason = Literal["not_visible", "wrong_reason", "duplicate", "trivial", "wrong_object"]
"""Why a candidate was rejected; optional."""
REASONS: Final[tuple[Reason, ...]] = get_args(Reason)

Capacity = Literal["annotator", "adjudicator"]
"""An adjudicator's answer decides alone; annotators' answers are counted."""

LONGEST_NOTE: Final = 2_000
"""Characters of a note."""
LONGEST_NAME: Final = 80
"""Characters of an annotator's name."""


class Answer(BaseModel):
    """One answer of one person about one candidate. Answers are appended; the newest of a person counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    """Given by who asked, so that an answer that is sent again is no second one."""
    anomaly: int
    """The candidate, by its row in the table `anomalies`."""
    annotator: str = Field(min_length=1, max_length=LONGEST_NAME)
    verdict: Verdict | Withdrawn
    reason: Reason | None = None
    note: str | None = Field(default=None, max_length=LONGEST_NOTE)
    seconds: float | None = Field(default=None, ge=0, le=86_400)
    """How long the person looked at the candidate."""
    capacity: Capacity = "annotator"
    created: str | None = None
    """UTC, ISO 8601; the store's moment where there is none."""


def _from_word(value: object) -> object:
    return {"verdict": value} if isinstance(value, str) else value


class GivenVerdict(BaseModel):
    """What a person says of one anomaly of the report that lies before them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    reason: Reason | None = None
    note: str | None = Field(default=None, max_length=LONGEST_NOTE)


class ReportReview(BaseModel):
    """What a person says of a whole report, inside the graph: a verdict on each anomaly, in the report's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annotator: str = Field(min_length=1, max_length=LONGEST_NAME)
    verdicts: list[Annotated[GivenVerdict, BeforeValidator(_from_word)]]
    """Each as an object, or as its word alone: "ACCEPT"."""
