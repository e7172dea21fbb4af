"""What people say of candidates: one question, "is this description right for this image?", and three answers."""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Annotated, Final, Literal, get_args

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationInfo

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
FUTURE_SECONDS: Final = 300.0
"""So far ahead of ours may a clock be that dates an answer."""


def tidy_spaces(name: object) -> object:
    """A name in Unicode's composed form, with single spaces and none around it: what looks alike is one person."""
    return unicodedata.normalize("NFC", " ".join(name.split())) if isinstance(name, str) else name


def _fits(reason: Reason | None, info: ValidationInfo) -> Reason | None:
    if reason and info.data.get("verdict", "REJECT") != "REJECT":
        raise ValueError("a reason belongs to REJECT alone")
    return reason


def _is_past(created: str | None) -> str | None:
    if created is not None:
        moment = datetime.fromisoformat(created)
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        if moment > datetime.now(UTC) + timedelta(seconds=FUTURE_SECONDS):
            raise ValueError("it lies in the future")
    return created


Annotator = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), BeforeValidator(tidy_spaces)]
"""Who answers; tidied."""
FittingReason = Annotated[Reason | None, AfterValidator(_fits)]
"""Declared behind the verdict: only a rejection has one."""


class Answer(BaseModel):
    """One answer of one person about one candidate. Answers are appended; the newest of a person counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str = Field(min_length=8, max_length=64, pattern=r"^[A-Za-z0-9_-]+$")
    """Given by who asked, so that an answer that is sent again is no second one."""
    anomaly: int
    """The candidate, by its row in the table `anomalies`."""
    annotator: Annotator
    verdict: Verdict | Withdrawn
    reason: FittingReason = None
    note: str | None = Field(default=None, max_length=LONGEST_NOTE)
    seconds: float | None = Field(default=None, ge=0, le=86_400)
    """How long the person looked at the candidate."""
    capacity: Capacity = "annotator"
    created: Annotated[str | None, AfterValidator(_is_past)] = None
    """When it was given: UTC, ISO 8601, not in the future; the store's moment where there is none."""


def _from_word(value: object) -> object:
    return {"verdict": value} if isinstance(value, str) else value


class GivenVerdict(BaseModel):
    """What a person says of one anomaly of the report that lies before them."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: Verdict
    reason: FittingReason = None
    note: str | None = Field(default=None, max_length=LONGEST_NOTE)


class ReportReview(BaseModel):
    """What a person says of a whole report, inside the graph: a verdict on each anomaly, in the report's order."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    annotator: Annotator
    verdicts: list[Annotated[GivenVerdict, BeforeValidator(_from_word)]]
    """Each as an object, or as its word alone: "ACCEPT"."""
