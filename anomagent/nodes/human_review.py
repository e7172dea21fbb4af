"""HumanReview: the graph waits, after the report, until a person has said what is right in it."""

from typing import Any, cast

from langgraph.types import interrupt
from pydantic import ValidationError

from anomagent.nodes.base import Context, Update
from anomagent.state.analysis import AnalysisState
from anomagent.state.reviews import REASONS, VERDICTS, ReportReview

QUESTION = "Is each description right for this image?"


async def review_report(state: AnalysisState, runtime: Context) -> Update:
    """Wait for a `ReportReview`, as an object or as JSON text, and keep it; what is none is asked again.

    Where the context asks for no review (any more), the report stands as it is.
    """
    if not runtime.context.review:
        return {}
    anomalies = state.get("anomalies", [])
    problem: str | None = None
    while True:
        review = interrupt(_request(anomalies, problem))
        try:
            return {"review": _read(review, len(anomalies)).model_dump()}
        except ValueError as error:
            problem = _in_one_line(error)


def _request(anomalies: list[dict[str, Any]], problem: str | None) -> dict[str, Any]:
    """What the person, or their script, gets to see."""
    return {
        "question": QUESTION,
        "anomalies": anomalies,
        "answer_with": {
            "annotator": "your name",
            "verdicts": [f"for each anomaly: {', '.join(VERDICTS)}; or an object of verdict, reason and note"],
            "reasons": list(REASONS),
        },
        "problem": problem,
    }


def _read(value: object, anomalies: int) -> ReportReview:
    if isinstance(value, str | bytes):
        review = ReportReview.model_validate_json(value)
    else:
        review = ReportReview.model_validate(value)
    if len(review.verdicts) != anomalies:
        raise ValueError(f"{len(review.verdicts)} verdicts for {anomalies} anomalies; give one for each, in order")
    return review


def _in_one_line(error: ValueError) -> str:
    if not isinstance(error, ValidationError):
        return str(error)
    first = cast(dict[str, Any], error.errors(include_url=False)[0])
    return f"{'.'.join(map(str, first['loc'])) or 'the answer'}: {first['msg']}"
