"""AnomalyFormatter: the final quadruples, and what became of every candidate."""

from anomagent.models.types import Ask
from anomagent.nodes.base import Context, Update
from anomagent.prompts import anomaly_formatter as prompts
from anomagent.state.analysis import FormatTask
from anomagent.state.findings import Anomaly, Candidate


async def format_anomalies(task: FormatTask, runtime: Context, *, ask: Ask) -> Update:
    """Ask for the quadruples of the candidates that were not pruned."""
    candidates = task["candidates"]
    standing = [candidate for candidate in candidates if not candidate["outcome"]]
    prompt = prompts.render_format(task["objects"], standing)
    answer = await ask(runtime.context, task["image"], prompt, prompts.FinalReport)
    return {
        "anomalies": [_anomaly(entry, standing).model_dump() for entry in answer.reply.anomalies],
        "candidates": [_with_outcome(candidate, answer.reply) for candidate in candidates],
        "calls": [answer.call],
    }


def _anomaly(entry: prompts.FormattedAnomaly, candidates: list[Candidate]) -> Anomaly:
    covered = [candidate for candidate in candidates if candidate["id"] in entry.covers]
    passes = {slot for candidate in covered for slot in candidate["passes"]}
    scans = {slot for candidate in covered for slot in candidate["scans"]}
    return Anomaly(
        name=entry.name,
        phenomenon=entry.phenomenon,
        reasoning=entry.reasoning,
        severity=entry.severity,
        objects=entry.objects,
        support=len(passes) + len(scans),
    )


def _with_outcome(candidate: Candidate, report: prompts.FinalReport) -> Candidate:
    if candidate["outcome"]:
        return candidate
    dropped = next((entry.reason for entry in report.dropped if entry.candidate == candidate["id"]), None)
    if any(candidate["id"] in entry.covers for entry in report.anomalies):
        outcome = "kept"
    elif dropped is not None:
        outcome = f"dropped: {dropped}"
    else:
        outcome = "uncovered"
    return {**candidate, "outcome": outcome}
